// The page of admins: who uses what, and the tokens by which people come in.

import { get } from "./api.js";
import { h } from "./dom.js";
import { usageTable } from "./usage.js";
import { tokenTable } from "./tokens.js";

const PAUSE = 5000; // milliseconds between two looks at who uses what

/** Fill the page; returns what ends it. */
export async function adminPage(root, { trouble }) {
  const ending = new AbortController();
  const usage = usageTable();
  const tokens = tokenTable();
  let timer = 0;
  root.append(
    h("div", { class: "row head" }, h("h1", { tabindex: "-1" }, "Team")),
    h(
      "div",
      { class: "stack" },
      h("section", { class: "card", "aria-label": "Use", data: { part: "usage" } }, h("h2", {}, "Use"), usage.element),
      h("section", { class: "card", "aria-label": "Tokens", data: { part: "tokens" } }, h("h2", {}, "Tokens"), tokens.element),
    ),
  );

  async function look() {
    usage.update(await get("v1/owners", ending.signal));
  }

  /** Look again and again while the page is seen; errors are shown and do not end it. */
  async function go() {
    try {
      if (!document.hidden) [await look(), trouble(null)];
    } catch (error) {
      if (!ending.signal.aborted) trouble(error);
    }
    if (!ending.signal.aborted) timer = window.setTimeout(go, PAUSE);
  }

  await Promise.all([look(), tokens.load()]);
  timer = window.setTimeout(go, PAUSE);
  return () => {
    ending.abort();
    clearTimeout(timer);
  };
}
