// Which page is shown, who is asking, and what is said when something is wrong.

import { adminPage } from "./admin.js";
import { Refusal, get, token } from "./api.js";
import { comparePage } from "./compare.js";
import { h, say, show } from "./dom.js";
import { forgetDrafts } from "./draft.js";
import { formPage } from "./form.js";
import { jobPage } from "./job.js";
import { askToken, notice } from "./notices.js";
import { queuePage } from "./queue.js";
import { canReach } from "./reach.js";

const ABOUT_SECONDS = 10; // after which the service is asked again, at the next change of a job
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

let service = null;
let asked = 0;
/** @type {() => void} */
let leave = () => {};
let turn = 0;

/** What the service offers; `renew` looks again, as its dashboard is known only once its workers run. */
const about = Object.assign(() => service, {
  async renew() {
    if (Date.now() - asked > 1000 * ABOUT_SECONDS) await introduced().catch(trouble);
  },
});

async function introduced() {
  asked = Date.now();
  service = await get("v1/service");
  say(at("owner"), service.needs_token ? `${service.owner}${service.role === "user" ? "" : `, ${service.role}`}` : "");
  show(at("forget"), Boolean(token.get())); // a proxy lets people in without one
  document.body.dataset.role = service.role; // for who only reads, what leads to a change is left out
  show(at("admin"), service.is_admin && service.needs_token);
  const isNear = canReach(service.dashboard, location.hostname);
  show(at("dashboard"), isNear);
  if (isNear) at("dashboard").setAttribute("href", service.dashboard);
}

/** Say what is wrong, above the page, until it is right again. */
function trouble(error) {
  const box = at("trouble");
  if (!error) {
    if (box.childNodes.length) box.replaceChildren();
  } else if (error.status === 401) {
    enter(error);
  } else if (box.textContent !== error.message) {
    box.replaceChildren(notice(error));
  }
}

let isAsking = false;

async function enter(error) {
  if (isAsking) return;
  isAsking = true;
  const typed = await askToken(token.get() ? error : null);
  isAsking = false;
  if (typed) {
    token.set(typed);
    route();
  } else {
    at("main").replaceChildren(
      h(
        "div",
        { class: "empty" },
        h("h2", {}, "A token is needed"),
        h("p", {}, "Nothing of this service can be shown without one."),
        h("p", {}, h("button", { type: "button", class: "is-primary", on: { click: () => enter(null) } }, "Enter a token")),
      ),
    );
  }
}

function pageOf(path) {
  const job = /^jobs\/([0-9a-f]{20})$/.exec(path);
  if (job) return { name: "job", make: jobPage, id: job[1] };
  const pair = /^compare\/([0-9a-f]{20})\/([0-9a-f]{20})$/.exec(path);
  if (pair) return { name: "compare", make: comparePage, ids: pair.slice(1) };
  if (path === "new") return { name: "new", make: formPage };
  if (path === "admin") return { name: "admin", make: adminPage };
  return path === "" ? { name: "queue", make: queuePage } : null;
}

async function route() {
  const mine = ++turn;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  leave();
  leave = () => {};
  const page = pageOf(path);
  const root = h("div", { class: `page is-${page?.name}` });
  document.title = `${{ new: "New job", admin: "Team" }[page?.name ?? ""] ?? "Jobs"} · dsketch`;
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.getAttribute("data-page") === page?.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (!service || !token.get() !== !service.needs_token || mine === 1) await introduced();
    if (!page)
      throw new Refusal(404, {
        message: `a page was expected; there is none at #/${path}. Go to the list of jobs.`,
        try: "Go to the list of jobs.",
      });
    if (page.name === "new" && service.role === "reader")
      throw new Refusal(403, {
        message: `a token that may change something was expected; this one of ${service.owner} only reads. Use another token.`,
        try: "Use another token.",
      });
    const end = (await page.make(root, { id: page.id, ids: page.ids, query: new URLSearchParams(query), about, trouble })) || (() => {});
    if (mine !== turn) return end();
    leave = end;
    trouble(null);
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401) return void enter(error);
    root.replaceChildren(notice(error), h("p", {}, h("a", { href: "#/" }, "All jobs")));
  }
  at("main").replaceChildren(root);
  if (mine > 1) (root.querySelector("h1") ?? at("main")).focus();
}

at("forget").addEventListener("click", () => {
  token.set(null);
  forgetDrafts();
  service = null;
  route();
});
/** Focus the content; the address names pages, so that a plain link to it would leave this one. */
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
addEventListener("hashchange", route);
route();
