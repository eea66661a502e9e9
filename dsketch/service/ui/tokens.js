// The tokens of the service: listed, made, ended, revoked.

import { get, patch, post, remove, since } from "./api.js";
import { copyable, h, show, speak } from "./dom.js";
import { confirmed, notice, shownOnce } from "./notices.js";
import { askDays, newTokenForm } from "./token-form.js";
import { age } from "./words.js";

const SOON = 60; // seconds: so that of 30 days, of which two seconds are gone, 30 are left
const HEADS = ["owner", "role", "label", "good until", "last used", ""];

/** Make the table with the form below it: its element and `load()`. */
export function tokenTable() {
  const body = h("tbody");
  const said = h("div", { class: "pad", hidden: true });
  const none = h("p", { class: "muted pad", hidden: true }, "There are no tokens: everybody who reaches this service is its one owner.");
  const table = h(
    "table",
    { class: "tokens" },
    h("caption", { class: "unseen" }, "Tokens"),
    h("thead", {}, h("tr", {}, HEADS.map((word) => h("th", { scope: "col" }, word || h("span", { class: "unseen" }, "change"))))),
    body,
  );
  const form = newTokenForm(made);
  const element = h("div", {}, h("div", { class: "scroll", tabindex: "0" }, table), none, said, form);

  async function load() {
    const { tokens } = await get("v1/tokens");
    body.replaceChildren(...tokens.map(rowOf));
    for (const part of [table, form]) show(part, tokens.length > 0);
    show(none, !tokens.length);
  }

  /** Do something, and show the tokens as they are then; what is refused is said below them. */
  async function change(act, words) {
    show(said, false);
    try {
      await act();
      speak(words);
      await load();
    } catch (error) {
      said.replaceChildren(notice(error));
      show(said, true);
    }
  }

  async function made(asked) {
    const token = await post("v1/tokens", asked);
    await load();
    await shownOnce(`A token of ${token.owner}`, "It is shown this once, and kept nowhere: the service knows only its hash.", copyable(token.token, "the token"));
  }

  function rowOf(token) {
    const whose = `the token ${token.label ? `${token.label} ` : ""}of ${token.owner}`;
    const lost = token.is_yours ? "It is the one that you are using: this page closes with it." : "Whoever comes with it is refused from now on.";
    const end = h("button", { type: "button", class: "quiet", "aria-label": `Set end of ${whose}` }, "Set end");
    const revoke = h("button", { type: "button", class: "quiet is-danger", "aria-label": `Revoke ${whose}` }, "Revoke");
    end.addEventListener("click", async () => {
      const days = await askDays(`When shall ${whose} end?`, `${lost} It stays in this list, and its end can be set again.`);
      if (days !== null) change(() => patch(`v1/tokens/${token.id}`, { days }), `${whose} ${days ? `ends in ${days} days` : "has ended"}`);
    });
    revoke.addEventListener("click", async () => {
      if (await confirmed(`Revoke ${whose}?`, lost, "Revoke")) change(() => remove(`v1/tokens/${token.id}`), `${whose} is revoked`);
    });
    return h(
      "tr",
      { class: token.is_expired ? "is-expired" : "", data: { token: token.id } },
      h("th", { scope: "row" }, token.owner),
      h("td", { data: { label: "role" } }, token.role),
      h("td", { data: { label: "label" } }, token.label || "–", token.is_yours && h("span", { class: "muted" }, " this one")),
      h("td", { data: { label: "good until" } }, endOf(token)),
      h("td", { data: { label: "last used" } }, token.last_used ? timed(token.last_used, `${age(since(token.last_used))} ago`) : "never"),
      h("td", { class: "num" }, end, revoke),
    );
  }

  return { element, load };
}

const timed = (stamp, words) => h("time", { datetime: stamp, title: new Date(stamp).toLocaleString() }, words);

function endOf(token) {
  if (!token.until) return "no end";
  const left = -since(token.until);
  return timed(token.until, token.is_expired ? `ended ${age(-left)} ago` : `in ${age(left + SOON)}`);
}
