// A table of thousands of rows of which only those in view are in the page.

import { h } from "./dom.js";

const ROW = 28; // pixels, as the stylesheet has it
const MORE = 12; // rows beyond either edge, so that scrolling shows no gap
const HEIGHT = 420; // pixels of the body at most, as the stylesheet has it; the true height is heard of when the browser has laid it out

/**
 * Make a body that scrolls: its element, `update(count, rowOf)`, and `top()`, for when the rows have another order.
 * @param {any} table an element with a head; its body is made here
 * @param {number} columns
 */
export function longTable(table, columns) {
  const body = h("tbody");
  const [above, below] = [filler(columns), filler(columns)];
  table.append(body);
  const element = h("div", { class: "scroll long", tabindex: "0" }, table);
  /** @type {(index: number) => any} */
  let rowOf = () => null;
  const rows = new Map(); // those in the page, by index: what stays in view is not made again
  let count = 0;
  let shown = "";
  let frame = 0;
  let height = HEIGHT;
  let scrolled = 0; // kept, as asking the element would have the page laid out while rows are made

  function draw() {
    frame = 0;
    const top = Math.min(scrolled, Math.max(count * ROW - height, 0)); // fewer rows than before: it scrolls there after this
    const first = Math.max(Math.floor(top / ROW) - MORE, 0);
    const last = Math.min(Math.ceil((top + height) / ROW) + MORE, count);
    const now = `${first}-${last}`;
    if (now === shown) return;
    shown = now;
    above.firstElementChild.style.height = `${first * ROW}px`;
    below.firstElementChild.style.height = `${(count - last) * ROW}px`;
    for (const [index, row] of rows) if (index < first || index >= last) [row.remove(), rows.delete(index)];
    let next = below;
    for (let index = last - 1; index >= first; index -= 1) {
      const row = rows.get(index) ?? rowOf(index);
      if (!rows.has(index)) [rows.set(index, row), body.insertBefore(row, next)];
      next = row;
    }
  }

  const later = () => (frame ||= requestAnimationFrame(draw));
  element.addEventListener("scroll", () => [(scrolled = element.scrollTop), later()], { passive: true });
  new ResizeObserver(([{ contentRect }]) => contentRect.height && [(height = contentRect.height), later()]).observe(element);
  return {
    element,
    top: () => (element.scrollTop = scrolled = 0),
    update(length, make) {
      [count, rowOf, shown] = [length, make, ""];
      rows.clear();
      body.replaceChildren(above, below);
      table.setAttribute("aria-rowcount", String(length + 1));
      draw();
    },
  };
}

const filler = (columns) => h("tr", { class: "filler", "aria-hidden": "true" }, h("td", { colspan: columns }));
