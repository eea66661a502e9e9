// The log of a job: a line an event, newest last, scrolled along unless somebody reads further up.

import { endKeeper, h, show } from "./dom.js";

/** Make the log: its element and `update(run)`. */
export function logView() {
  const list = h("ol", { class: "log" });
  const empty = h("p", { class: "muted pad" }, "Nothing happened yet.");
  const element = h(
    "div",
    { class: "scroll log-box", tabindex: "0", role: "region", "aria-label": "Log of events" },
    list,
    empty,
  );
  const keepEnd = endKeeper(element);
  let shown = 0;

  function update(run) {
    show(empty, run.log.length === 0);
    if (run.log.length === shown) return; // only then: to scroll, the browser lays the page out
    list.append(...run.log.slice(shown).map(line));
    shown = run.log.length;
    keepEnd();
  }

  return { element, update };
}

function line({ at, kind, text }) {
  const when = new Date(at);
  const clock = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return h("li", { class: `is-${kind}` }, h("time", { datetime: at, title: when.toLocaleString() }, clock), h("span", {}, text));
}
