// The page of all jobs: a filter by state, a live table, older and newer pages.

import { get, since } from "./api.js";
import { copyable, h, say, show } from "./dom.js";
import { STATES, isActive, stateBadge } from "./state.js";
import { age, dataOf, lastOf, number, seconds, sentence as sentenceOf, stateWord } from "./words.js";

const PAGE = 25;
const PAUSE = { live: 1000, still: 3000 }; // milliseconds between two looks
const WATCHED = 8; // running jobs whose passes are asked for; more do not run at once on one service
const HEADS = [
  ["state", ""],
  ["job", ""],
  ["problem", "hide-small"],
  ["owner", "hide-small"],
  ["passes", ""],
  ["work", "num hide-small"],
  ["age", "num"],
];

/** Fill the page; returns what ends it. */
export function queuePage(root, { query, about, trouble }) {
  const state = STATES.includes(query.get("state")) ? query.get("state") : "";
  const after = query.get("after") ?? "";
  const body = h("tbody");
  const table = h(
    "table",
    { class: "queue" },
    h("caption", { class: "unseen" }, "Jobs, newest first"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        HEADS.map(([word, kind]) => h("th", { scope: "col", class: kind }, word)),
      ),
    ),
    body,
  );
  const empty = h("div", { class: "empty", hidden: true });
  const older = h("a", { class: "button", hidden: true }, "Older");
  const pager = h(
    "nav",
    { class: "row pager", "aria-label": "Pages" },
    h("a", { class: "button", href: address(state), hidden: !after }, "Newest"),
    older,
  );
  root.append(
    h(
      "div",
      { class: "row head" },
      h("h1", { tabindex: "-1" }, "Jobs"),
      h("a", { class: "button is-primary", href: "#/new" }, "New job"),
    ),
    filter(state),
    h("div", { class: "card flush", "aria-busy": "true" }, table, empty),
    pager,
  );
  const card = table.parentElement;
  const rows = new Map();
  const ending = new AbortController();

  async function look() {
    const asked = new URLSearchParams({ limit: String(PAGE), ...(state && { state }), ...(after && { after }) });
    const page = await get(`v1/jobs?${asked}`, ending.signal);
    const live = page.jobs.filter((job) => isActive(job.state)).slice(0, WATCHED);
    const wholes = new Map(
      (await Promise.all(live.map((job) => get(`v1/jobs/${job.id}`, ending.signal).catch(() => job)))).map((job) => [
        job.id,
        job,
      ]),
    );
    draw(page.jobs.map((job) => wholes.get(job.id) ?? job));
    show(older, Boolean(page.next));
    if (page.next) older.setAttribute("href", address(state, page.next));
    return live.length ? PAUSE.live : PAUSE.still;
  }

  function draw(jobs) {
    const ids = new Set(jobs.map((job) => job.id));
    for (const [id, row] of rows) if (!ids.has(id)) [row.element.remove(), rows.delete(id)];
    jobs.forEach((job, index) => {
      const row = rows.get(job.id) ?? rowOf(job);
      rows.set(job.id, row);
      if (body.children[index] !== row.element) body.insertBefore(row.element, body.children[index] ?? null);
      row.update(job);
    });
    card?.removeAttribute("aria-busy");
    show(table, jobs.length > 0);
    show(empty, jobs.length === 0);
    if (!jobs.length && !empty.childNodes.length) empty.append(...(state || after ? nothingHere(state) : nothingYet(about())));
  }

  const loop = watching(look, ending.signal, trouble);
  return () => {
    ending.abort();
    clearTimeout(loop.timer);
  };
}

/** Look again and again while the page is seen; errors are shown and do not end it. */
function watching(look, signal, trouble) {
  const loop = { timer: 0 };
  async function go() {
    let pause = PAUSE.still;
    try {
      if (!document.hidden) [(pause = await look()), trouble(null)];
    } catch (error) {
      if (!signal.aborted) trouble(error);
    }
    if (!signal.aborted) loop.timer = setTimeout(go, pause);
  }
  go();
  return loop;
}

const address = (state, after) => `#/?${new URLSearchParams({ ...(state && { state }), ...(after && { after }) })}`;

function filter(state) {
  const choice = (value, word) =>
    h(
      "label",
      { class: "chip" },
      h("input", {
        type: "radio",
        name: "state",
        value,
        checked: value === state,
        on: { change: () => (location.hash = address(value)) },
      }),
      h("span", {}, word),
    );
  return h(
    "fieldset",
    { class: "chips" },
    h("legend", { class: "unseen" }, "Show jobs in state"),
    choice("", "all"),
    STATES.map((one) => choice(one, stateWord(one))),
  );
}

// ---- a row ---------------------------------------------------------------------------------------------------------

function rowOf(job) {
  const badge = stateBadge(job.state, job.word);
  const sentence = h("span", { class: "sentence" });
  const fill = h("i");
  const bar = h("span", { class: "bar" }, fill);
  const count = h("span");
  const work = h("span");
  const born = h("time", { datetime: job.created, title: new Date(job.created).toLocaleString() });
  const cells = [
    badge.element,
    [h("a", { class: "name", href: `#/jobs/${job.id}` }, job.name || job.id), sentence],
    [
      h("span", {}, job.spec.problem),
      h("span", { class: "sentence", title: dataOf(job.spec) }, `${lastOf(dataOf(job.spec))} · ${job.spec.method}`),
    ],
    job.owner,
    [bar, count],
    work,
    born,
  ];
  const element = h(
    "tr",
    { data: { id: job.id } },
    HEADS.map(([, kind], index) => h("td", { class: kind }, cells[index])),
  );

  function update(now) {
    badge.update(now.state, now.word);
    const said = sentenceOf(now);
    say(sentence, said);
    sentence.title = said;
    const expected = now.progress?.expected_passes ?? now.plan?.passes ?? 0;
    const isLive = isActive(now.state);
    show(bar, isLive);
    const width = `${isLive && expected ? Math.min(100, (100 * now.passes) / expected).toFixed(1) : 0}%`;
    if (fill.style.width !== width) fill.style.width = width;
    say(count, isLive && expected ? `${number(now.passes)} of ${number(expected)}` : now.passes ? number(now.passes) : "–");
    say(work, now.seconds ? seconds(now.seconds) : "–");
    say(born, age(since(now.created)));
  }

  return { element, update };
}

// ---- nothing to show -----------------------------------------------------------------------------------------------

function nothingHere(state) {
  return [
    h("h2", {}, state ? `No job is ${stateWord(state)}` : "No older jobs"),
    h("p", {}, h("a", { href: "#/" }, "Show all jobs")),
  ];
}

function nothingYet(about) {
  const root = about.data_roots[0];
  if (!root)
    return [
      h("h2", {}, "No data can be read yet"),
      h("p", {}, "Jobs may only read below places that the service was told of. Start it with one:"),
      copyable("dsketch serve --data-root DIR", "the command"),
    ];
  const sample = new URLSearchParams({ A: "demo/A.zarr", b: "demo/b.zarr", name: "demo" });
  return [
    h("h2", {}, "No jobs yet"),
    h("p", {}, "Make a matrix with a known answer where this service may read it, then hand it in:"),
    copyable(`dsketch demo --rows 1000000 --cols 50 --dir ${root}/demo --keep`, "the command"),
    h("p", {}, h("a", { class: "button is-primary", href: `#/new?${sample}` }, "Fill in the form for it")),
    h(
      "p",
      { class: "help" },
      "From a terminal: ",
      h("code", {}, `dsketch jobs submit lstsq demo/A.zarr demo/b.zarr --follow --url ${location.origin}`),
    ),
  ];
}
