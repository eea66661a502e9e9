// What each owner uses of the service today, against what it may.

import { h, say, show } from "./dom.js";
import { bytes, number, seconds } from "./words.js";

const HEADS = ["owner", "running", "waiting", "jobs", "read today", "worked today", "uploads"];

/** Make the table: its element and `update(found)`. */
export function usageTable() {
  const body = h("tbody");
  const said = h("p", { class: "help pad" });
  const table = h(
    "table",
    { class: "usage" },
    h("caption", { class: "unseen" }, "Use by owner"),
    h("thead", {}, h("tr", {}, HEADS.map((word, place) => h("th", { scope: "col", class: place ? "num" : "" }, word)))),
    body,
  );
  const element = h("div", { class: "scroll", tabindex: "0" }, table, said);
  const rows = new Map();

  function rowOf(owner) {
    const cells = HEADS.slice(1).map((word) => meterCell(word));
    const row = h("tr", { data: { owner } }, h("th", { scope: "row" }, owner), cells.map((cell) => cell.element));
    return { element: row, cells };
  }

  function update(found) {
    const known = new Set(found.owners.map((one) => one.owner));
    for (const [owner, row] of rows) if (!known.has(owner)) [row.element.remove(), rows.delete(owner)];
    found.owners.forEach((one, place) => {
      const row = rows.get(one.owner) ?? rowOf(one.owner);
      rows.set(one.owner, row);
      if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
      const uploads = one.uploads ? `${bytes(one.upload_bytes)} in ${number(one.uploads)}` : "–";
      const values = [
        [count(one.running), one.running, one.most_running, number],
        [count(one.waiting)],
        [count(one.jobs)],
        [one.read_bytes ? bytes(one.read_bytes) : "–", one.read_bytes, one.most_read_bytes, bytes],
        [one.worked_seconds ? seconds(one.worked_seconds) : "–", one.worked_seconds, one.most_worked_seconds, seconds],
        [uploads, one.upload_bytes, one.most_upload_bytes, bytes],
      ];
      values.forEach((value, at) => row.cells[at].update(...value));
    });
    show(said, !found.is_counted);
    say(said, "Bytes and seconds of a day are counted where the service has a file of owners: dsketch serve --owners FILE.");
  }

  return { element, update };
}

const count = (value) => (value ? number(value) : "–");

/** A cell: what is used, and, where there is a limit, that and a bar. */
function meterCell(word) {
  const [used, most, fill] = [h("span"), h("span", { class: "muted" }), h("i")];
  const bar = h("span", { class: "bar", hidden: true }, fill);
  const element = h("td", { class: "num", data: { label: word } }, h("span", { class: "meter" }, h("span", {}, used, most), bar));
  return {
    element,
    update(text, value = null, limit = null, words = number) {
      say(used, text);
      say(most, limit === null ? "" : ` of ${words(limit)}`);
      show(bar, limit !== null);
      const part = limit ? Math.min((value ?? 0) / limit, 1) : 0;
      fill.style.width = `${(100 * part).toFixed(1)}%`;
      element.classList.toggle("is-full", part >= 1);
    },
  };
}
