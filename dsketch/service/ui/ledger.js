// The ledger: a row a pass, with its speed as a bar and the error where the pass measured one; scrolled along like the log.

import { endKeeper, h, say, show } from "./dom.js";
import { bytes, figure, seconds } from "./words.js";

const HEADS = [
  ["pass", "num"],
  ["kind", ""],
  ["read", "num"],
  ["time", "num"],
  ["speed", ""],
  ["stopping error", "num at-hand"],
  ["residual", "num wide-only at-hand"],
];

const WHY =
  "A stopping error is what the method had at hand after a pass, to know when to stop. The certificate's backward error was measured for " +
  "the x that is returned, and is the one to quote.";

/** Make the table: its element and `update(run, rests)`. */
export function ledgerTable() {
  const body = h("tbody");
  const empty = h("p", { class: "muted pad" }, "");
  const head = h(
    "tr",
    {},
    HEADS.map(([word, kind]) => h("th", { scope: "col", class: kind }, word)),
  );
  const table = h(
    "table",
    { class: "ledger" },
    h("caption", { class: "unseen" }, "Ledger of passes"),
    h("thead", {}, head),
    body,
  );
  const box = h(
    "div",
    { class: "scroll ledger-box", tabindex: "0", role: "region", "aria-label": "Ledger of passes" },
    table,
    empty,
  );
  const why = h("p", { class: "help pad", hidden: true }, WHY);
  const element = h("div", {}, box, why);
  const keepEnd = endKeeper(box);
  const rows = new Map();

  function update(run, rests) {
    const isLonger = run.passes.size > rows.size; // only then is it scrolled: the browser lays the page out for that
    show(empty, run.passes.size === 0);
    say(empty, rests ? "No pass over the data was made." : "Each pass over the data gets a line here when it ends.");
    box.classList.toggle("is-short", rests && run.passes.size === 0);
    const hasErrors = run.points.size > 1 || !rests; // a direct method has one error: that of the certificate
    show(why, hasErrors && run.points.size > 0);
    table.classList.toggle("has-errors", hasErrors);
    const best = Math.max(0, ...[...run.passes.values()].map((pass) => (pass.replayed ? 0 : (pass.gigabytes_per_second ?? 0))));
    for (const [number, pass] of run.passes) {
      const row = rows.get(number) ?? inserted(number);
      fill(row, pass, run.points.get(number), best);
    }
    if (isLonger) keepEnd();
  }

  function inserted(number) {
    const row = h(
      "tr",
      {},
      HEADS.map(([word, kind]) => h("td", { class: kind }, word === "speed" && [h("span", { class: "bar" }, h("i")), h("span")])),
    );
    const above = [...rows.keys()].filter((other) => other > number);
    body.insertBefore(row, above.length ? rows.get(Math.min(...above)) : null);
    rows.set(number, row);
    return row;
  }

  return { element, update };
}

function fill(row, pass, point, best) {
  const [number, kind, read, time, speed, error, residual] = row.children;
  const rate = pass.replayed ? null : pass.gigabytes_per_second;
  say(number, String(pass.number));
  say(kind, pass.kind);
  say(read, pass.replayed ? "0 B" : bytes(pass.read_bytes));
  say(time, pass.replayed ? "" : seconds(pass.seconds));
  const width = `${rate && best ? Math.max(2, (100 * rate) / best).toFixed(1) : 0}%`;
  if (speed.firstChild.firstChild.style.width !== width) speed.firstChild.firstChild.style.width = width;
  show(speed.firstChild, !pass.replayed);
  say(speed.lastChild, pass.replayed ? "from the journal" : rate ? `${bytes(rate * 1e9)}/s` : "");
  say(error, point ? figure(point.backward_error) : "");
  say(residual, point ? figure(point.residual_norm) : "");
}
