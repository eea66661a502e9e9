// Residuals of a sample of rows, drawn when somebody asks: against the fitted values, and against a column of A.

import { post } from "./api.js";
import { fresh, h, say, show } from "./dom.js";
import { hexbin, legendOf, stepsOf } from "./hexbin.js";
import { notice } from "./notices.js";
import { number } from "./words.js";

const ROWS = 20_000;
const LISTED = 200; // columns by name in a list; of more one types the name, and the list is made when somebody does

/** Make the card's content: its element, `load(found)` once there are coefficients, and whether the problem can have residuals. */
export function residualsView(id, spec) {
  const own = { column: fresh("column"), target: fresh("target"), names: fresh("names") };
  const columnBox = h("span", { class: "picker" });
  const target = h("input", { id: own.target, type: "number", min: 0, step: 1, value: 0 });
  const button = h("button", { type: "button" }, "Draw residuals");
  const picker = h("span", { class: "picker", hidden: true }, h("label", { for: own.target }, "target"), target);
  const said = h("p", { class: "help", role: "status" }, `Reads a random sample of at most ${number(ROWS)} rows of A and b when you ask.`);
  const pictures = h("div", { class: "pictures" });
  const legend = h("div");
  const wrong = h("div");
  const element = h("div", { class: "pad residuals" }, h("div", { class: "row" }, columnBox, picker, button), said, wrong, pictures, legend);
  let column = null;
  let seed = 0;

  /** Offer the columns of A; the intercept, which is none, is left out. */
  function load(found) {
    if (column) return;
    const names = spec.intercept ? found.names.slice(0, -1) : found.names;
    column = names.length > LISTED ? typed(names) : h("select", { id: own.column }, h("option", { value: "" }, "fitted values alone"), names.map((name) => h("option", {}, name)));
    columnBox.replaceChildren(h("label", { for: own.column }, "also against"), column);
    column.addEventListener("change", () => pictures.childNodes.length && [(seed = Math.max(seed - 1, 0)), draw()]);
    show(picker, found.targets.count > 1);
    target.setAttribute("max", String(found.targets.count - 1));
  }

  /** A field for the name of one of very many columns. */
  function typed(names) {
    const list = h("datalist", { id: own.names });
    const field = h("input", { id: own.column, type: "text", list: own.names, placeholder: "name of a column", autocomplete: "off" });
    field.addEventListener("focus", () => list.append(...names.map((name) => h("option", { value: name }))), { once: true });
    columnBox.after(list);
    return field;
  }

  async function draw() {
    button.disabled = true;
    say(button, "reading rows…");
    try {
      const asked = { target: Math.max(Math.floor(Number(target.value)) || 0, 0), column: column?.value || null, rows: ROWS, seed: seed++ };
      const found = await post(`v1/jobs/${id}/residuals`, asked);
      const steps = stepsOf(found.pictures.flatMap((picture) => picture.hexagons.map(([, , count]) => count)));
      pictures.replaceChildren(...found.pictures.map((picture) => hexbin(picture, found.kind, steps)));
      legend.replaceChildren(legendOf(steps));
      wrong.replaceChildren();
      say(said, told(found));
    } catch (error) {
      wrong.replaceChildren(notice(error));
    }
    button.disabled = false;
    say(button, pictures.childNodes.length ? "Draw another sample" : "Draw residuals");
  }

  button.addEventListener("click", draw);
  return { element, load, isOffered: "b" in spec || spec.problem === "glm" };
}

/** What is drawn, and of how many rows. */
function told({ kind, rows, of }) {
  const what = kind === "deviance" ? "Deviance residuals (the signed root of each row's part of the deviance)" : "Residuals (b less what is fitted)";
  return `${what} of ${rows === of ? `all ${number(of)} rows` : `${number(rows)} of ${number(of)} rows, drawn at random`}.`;
}
