// What each worker of a running job does, and its memory: of our own, as a dashboard of the service's machine is reached by nobody else.

import { h, say } from "./dom.js";
import { bytes, seconds } from "./words.js";

export const QUIET = 10; // seconds without a sign of work: no finished piece, no processor time

/** Make the card's content: its element, and `update(workers)`. */
export function workersView() {
  const body = h("tbody");
  const table = h(
    "table",
    { class: "workers" },
    h("caption", { class: "unseen" }, "What each worker does"),
    h("thead", {}, h("tr", {}, ["worker", "does", "memory", "processor"].map((word, place) => h("th", { scope: "col", class: place > 1 ? "num" : "" }, word)))),
    body,
  );
  const element = h("div", { class: "scroll workers-box", tabindex: "0", role: "region", "aria-label": "Workers of this job" }, table);
  const rows = new Map();

  function update(workers) {
    const names = new Set(workers.map((one) => one.name));
    for (const [name, row] of rows) if (!names.has(name)) [row.remove(), rows.delete(name)];
    workers.forEach((worker, place) => {
      const row = rows.get(worker.name) ?? made(worker.name);
      if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
      fill(row, worker);
    });
  }

  function made(name) {
    const row = h("tr", {}, h("td", {}, name), h("td"), h("td", { class: "num" }, h("span"), h("span", { class: "wide-only" })), h("td", { class: "num" }));
    rows.set(name, row);
    return row;
  }

  return { element, update };
}

function fill(row, worker) {
  const [, does, memory, processor] = row.children;
  row.classList.toggle("is-quiet", stalls(worker));
  say(does, stalls(worker) ? `${worker.doing}: nothing for ${seconds(Math.floor(worker.quiet_seconds))}` : worker.doing || "waits");
  say(memory.firstChild, bytes(worker.memory_bytes));
  say(memory.lastChild, worker.memory_limit_bytes ? ` of ${bytes(worker.memory_limit_bytes)}` : "");
  say(processor, stalls(worker) ? "–" : `${Math.round(100 * worker.processor)} %`);
}

const stalls = (worker) => (worker.quiet_seconds ?? 0) >= QUIET;

/** Which workers stall, in a sentence; empty if none does. */
export function stalled(workers) {
  const quiet = (workers ?? []).filter(stalls);
  if (!quiet.length) return "";
  const names = quiet.slice(0, 5).map((one) => one.name);
  const more = quiet.length > names.length ? ` and ${quiet.length - names.length} more` : "";
  return `${quiet.length === 1 ? "Worker" : "Workers"} ${names.join(", ")}${more}: no sign of work for ${seconds(Math.floor(quiet[0].quiet_seconds))}.`;
}
