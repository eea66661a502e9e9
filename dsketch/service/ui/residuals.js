// Residuals of a sample of rows, drawn when somebody asks: against the fitted values, and against a column of A.

import { get, post } from "./api.js";
import { fresh, h, say, show } from "./dom.js";
import { notice } from "./notices.js";
import { number } from "./words.js";

const ROWS = 20_000;
const LISTED = 2_000; // columns in the list

/** Make the card's content: its element, `load()` once there is an answer, and whether the problem can have residuals. */
export function residualsView(id, spec) {
  const own = { column: fresh("column"), target: fresh("target") };
  const column = h("select", { id: own.column }, h("option", { value: "" }, "fitted values alone"));
  const target = h("input", { id: own.target, type: "number", min: 0, step: 1, value: 0 });
  const button = h("button", { type: "button" }, "Draw residuals");
  const picker = h("span", { class: "picker", hidden: true }, h("label", { for: own.target }, "target"), target);
  const said = h("p", { class: "help", role: "status" }, `Reads a random sample of at most ${number(ROWS)} rows of A and b when you ask.`);
  const pictures = h("div", { class: "pictures" });
  const wrong = h("div");
  const element = h(
    "div",
    { class: "pad residuals" },
    h("div", { class: "row" }, h("span", { class: "picker" }, h("label", { for: own.column }, "also against"), column), picker, button),
    said,
    wrong,
    pictures,
  );
  let seed = 0;
  let isListed = false;

  /** List the columns of A; the intercept, which is none, is left out. */
  async function list() {
    if (isListed) return;
    isListed = true;
    const found = await get(`v1/jobs/${id}/coefficients?target=0`);
    const names = spec.intercept ? found.names.slice(0, -1) : found.names;
    column.append(...names.slice(0, LISTED).map((name) => h("option", {}, name)));
    show(picker, found.targets.count > 1);
    target.setAttribute("max", String(found.targets.count - 1));
  }

  async function draw() {
    button.disabled = true;
    say(button, "reading rows…");
    try {
      const asked = { target: Math.max(Math.floor(Number(target.value)) || 0, 0), column: column.value || null, rows: ROWS, seed: seed++ };
      const found = await post(`v1/jobs/${id}/residuals`, asked);
      pictures.replaceChildren(...found.pictures.map((picture) => pictureOf(picture, found.kind)));
      wrong.replaceChildren();
      say(said, told(found));
    } catch (error) {
      wrong.replaceChildren(notice(error));
    }
    button.disabled = false;
    say(button, pictures.childNodes.length ? "Draw another sample" : "Draw residuals");
  }

  button.addEventListener("click", draw);
  column.addEventListener("change", () => pictures.childNodes.length && [(seed = Math.max(seed - 1, 0)), draw()]);
  return {
    element,
    load: () => list().catch((error) => wrong.replaceChildren(notice(error))),
    isOffered: "b" in spec || spec.problem === "glm",
  };
}

/** How many rows, and what is drawn. */
function told({ kind, rows, of }) {
  const what = kind === "deviance" ? "Deviance residuals (the signed root of each row's part of the deviance)" : "Residuals (b less what is fitted)";
  return `${what} of ${number(rows)} of ${number(of)} rows, drawn at random. Cells of a stronger colour have more rows; the line is the mean of each column of cells.`;
}

function pictureOf(picture, kind) {
  const canvas = h("canvas", { class: "residual-canvas", role: "img" });
  const [across, up] = picture.ends;
  canvas.setAttribute("aria-label", described(picture, kind));
  const paint = () => painted(canvas, picture);
  new ResizeObserver(paint).observe(canvas);
  addEventListener("themechange", () => canvas.isConnected && paint());
  return h(
    "figure",
    {},
    h("div", { class: "residual-y" }, h("span", {}, short(up[1])), h("span", { class: "residual-zero", style: `top: ${(100 * up[1]) / (up[1] - up[0])}%` }, up[0] < 0 && up[1] > 0 ? "0" : ""), h("span", {}, short(up[0]))),
    canvas,
    h("figcaption", { class: "residual-x" }, h("span", {}, short(across[0])), h("strong", {}, picture.x), h("span", {}, short(across[1]))),
  );
}

function described({ x, ends: [across, up], means }, kind) {
  const known = means.filter((mean) => mean !== null);
  const reach = known.length ? `; their means along it lie between ${short(Math.min(...known))} and ${short(Math.max(...known))}` : "";
  return `${kind} residuals from ${short(up[0])} to ${short(up[1])} against ${x} from ${short(across[0])} to ${short(across[1])}${reach}`;
}

const short = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3))));

function painted(canvas, { counts, means, ends: [, [low, high]] }) {
  const [ratio, style] = [devicePixelRatio, getComputedStyle(canvas)];
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (!width || !height) return;
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const [columns, lines] = [counts[0].length, counts.length];
  const [wide, tall] = [width / columns, height / lines];
  const most = Math.log1p(counts.flat().reduce((one, other) => Math.max(one, other), 1));
  context.fillStyle = style.color;
  counts.forEach((row, place) =>
    row.forEach((count, at) => {
      if (!count) return;
      context.globalAlpha = 0.12 + (0.88 * Math.log1p(count)) / most;
      const [x, y] = [Math.floor(at * wide), Math.floor((lines - 1 - place) * tall)]; // whole pixels, so that no two cells overlap
      context.fillRect(x, y, Math.floor((at + 1) * wide) - x, Math.floor((lines - place) * tall) - y);
    }),
  );
  context.globalAlpha = 1;
  const y = (value) => (height * (high - value)) / (high - low || 1);
  context.strokeStyle = style.borderTopColor;
  context.lineWidth = ratio;
  line(context, [[0, y(0)], [width, y(0)]]);
  context.strokeStyle = style.outlineColor;
  context.lineWidth = 2 * ratio;
  line(context, means.map((mean, at) => (mean === null ? null : [(at + 0.5) * wide, y(mean)])).filter(Boolean));
}

function line(context, points) {
  context.beginPath();
  points.forEach(([x, y], place) => (place ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}
