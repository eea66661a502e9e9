// A picture of many points counted in hexagons: regular ones in a few steps of one colour, a line of means, round numbers at both axes.

import { drawn, h } from "./dom.js";
import { evenSplits, evenTick } from "./scales.js";
import { number } from "./words.js";

const STEPS = 6; // of colour, at most
const SPREAD = 8; // from which ratio of the largest count to the least steps are as ratios
const TRUSTED = 5; // rows of a band whose mean is drawn
const CORNER = 1 / Math.sqrt(3); // from a centre to a corner; a hexagon is 1 wide
const LINE = Math.sqrt(3) / 2; // from one line of hexagons to the next
const EDGE = 0.25; // around all of them

/**
 * The steps of colour: from which count to which, in order; equal ratios where counts are spread, else equal parts.
 * @param {number[]} counts
 * @returns {[number, number][]}
 */
export function stepsOf(counts) {
  const known = [...new Set(counts)].sort((one, other) => one - other);
  if (known.length <= STEPS) return known.map((count) => [count, count]);
  const [least, most] = [known[0], known[known.length - 1]];
  const end = (part) => (most / least >= SPREAD ? least * (most / least) ** part : least + (most - least) * part);
  const ends = Array.from({ length: STEPS }, (_, index) => Math.round(end((index + 1) / STEPS)));
  ends[STEPS - 1] = most;
  const starts = [least, ...ends.slice(0, -1).map((last) => last + 1)];
  return starts.map((start, index) => /** @type {[number, number]} */ ([start, ends[index]])).filter(([from, to]) => from <= to && counts.some((count) => from <= count && count <= to));
}

/** Which class of colour a step has: one step alone has a middle one, several reach from the faintest to the strongest. */
const colourOf = (index, steps) => `hexagon-${steps.length === 1 ? Math.ceil(STEPS / 2) : 1 + Math.round((index * (STEPS - 1)) / (steps.length - 1))}`;

/** What the colours and the line mean. */
export function legendOf(steps) {
  const says = ([from, to]) => (from === to ? number(from) : `${number(from)}–${number(to)}`);
  const swatch = (name, shape) => drawn("svg", { viewBox: "-0.55 -0.62 1.1 1.24", class: `swatch ${name}`, "aria-hidden": "true" }, shape);
  const mean = drawn("path", { d: "M-0.5 0H0.5", class: "hexbin-mean" });
  return h(
    "ul",
    { class: "hexbin-legend" },
    h("li", {}, "rows in a hexagon"),
    steps.map((step, index) => h("li", {}, swatch("", drawn("path", { d: hexagonAt(0, 0), class: colourOf(index, steps) })), says(step))),
    h("li", { class: "hexbin-legend-mean" }, swatch("is-line", mean), `mean of a band of ${TRUSTED} rows or more`),
  );
}

/**
 * Make the picture of residuals against one thing.
 * @param {any} picture as the service has it
 * @param {string} kind of the residuals
 * @param {[number, number][]} steps of colour
 */
export function hexbin(picture, kind, steps) {
  const [across, up] = picture.ends;
  const title = h("strong", {}, picture.x);
  if (!picture.hexagons.length) return h("figure", { class: "hexbin" }, h("figcaption", { class: "hexbin-title" }, "no row of the sample has a value of ", title));
  const [wide, high] = [picture.columns + 1 + 2 * EDGE, picture.lines * LINE + 2 * CORNER + 2 * EDGE];
  const x = (value) => picture.columns * partOf(value, across);
  const y = (value) => picture.lines * LINE * (1 - partOf(value, up));
  const [xs, ys] = [evenSplits(across, 5), evenSplits(up, 5)];
  const left = -0.5 - EDGE;
  const top = -CORNER - EDGE;
  const view = drawn(
    "svg",
    { viewBox: `${left} ${top} ${wide} ${high}`, role: "img", "aria-label": described(picture, kind), class: "hexbin-plot" },
    xs.map((value) => drawn("path", { d: `M${x(value)} ${top}v${high}`, class: "hexbin-grid" })),
    ys.map((value) => drawn("path", { d: `M${left} ${y(value)}h${wide}`, class: "hexbin-grid" })),
    steps.map((step, index) => drawn("path", { d: hexagonsOf(picture, step), class: colourOf(index, steps) })),
    up[0] <= 0 && up[1] >= 0 ? drawn("path", { d: `M${left} ${y(0)}h${wide}`, class: "hexbin-zero" }) : null,
    ...["hexbin-halo", "hexbin-mean"].map((name) => drawn("path", { d: meansOf(picture, y), class: name })),
  );
  const labels = ys.map((value) => evenTick(value, ys));
  const gutter = h("div", { class: "hexbin-up", "aria-hidden": "true", style: `width: ${Math.max(...labels.map((label) => label.length)) + 0.5}ch` }, ys.map((value, index) => h("span", { style: `top: ${(100 * (y(value) - top)) / high}%` }, labels[index])));
  const below = h("div", { class: "hexbin-across", "aria-hidden": "true" }, xs.map((value) => h("span", { style: `left: ${(100 * (x(value) - left)) / wide}%` }, evenTick(value, xs))));
  return h("figure", { class: "hexbin" }, h("figcaption", { class: "hexbin-title" }, "residual by ", title), gutter, view, below, meansTable(picture, kind));
}

/** How far a value lies from one end to the other; by halves, as the ends may be farther apart than numbers reach. */
const partOf = (value, [low, high]) => (value / 2 - low / 2) / (high / 2 - low / 2);

/** What lies at a part of the way from one end to the other. */
const valueAt = (part, [low, high]) => 2 * (low / 2 + (high / 2 - low / 2) * part);

/** The outline of a hexagon with a corner on top, 1 wide. */
const hexagonAt = (x, y) => `M${x.toFixed(2)} ${(y - CORNER).toFixed(4)}l.5 ${(CORNER / 2).toFixed(4)}v${CORNER.toFixed(4)}l-.5 ${(CORNER / 2).toFixed(4)}l-.5 ${(-CORNER / 2).toFixed(4)}v${(-CORNER).toFixed(4)}z`;

function hexagonsOf({ hexagons, lines }, [from, to]) {
  const mine = hexagons.filter(([, , count]) => from <= count && count <= to);
  return mine.map(([column, line]) => hexagonAt(column + (line % 2) / 2, (lines - line) * LINE)).join("");
}

/** The line of means, in pieces where bands have too few rows; a band between two such is a dot. */
function meansOf({ means, mean_rows, columns }, y) {
  const isSure = (band) => mean_rows[band] >= TRUSTED;
  const at = (mean, band) => `${(((band + 0.5) * columns) / means.length).toFixed(3)} ${y(mean).toFixed(3)}`;
  return means.map((mean, band) => (isSure(band) ? `${isSure(band - 1) ? "L" : "M"}${at(mean, band)}${isSure(band - 1) || isSure(band + 1) ? "" : "h0"}` : "")).join("");
}

function described({ x, ends: [across, up], hexagons, columns, lines, means, rows }, kind) {
  const [column, line, most] = hexagons.reduce((one, other) => (other[2] > one[2] ? other : one));
  const [here, there] = [short(valueAt((column + (line % 2) / 2) / columns, across)), short(valueAt(line / lines, up))];
  const known = means.filter((mean) => mean !== null);
  const reach = `means of bands along it lie between ${short(Math.min(...known))} and ${short(Math.max(...known))}`;
  return `${kind} residuals of ${number(rows)} rows, from ${short(up[0])} to ${short(up[1])}, against ${x} from ${short(across[0])} to ${short(across[1])}; the fullest hexagon has ${number(most)}, about ${x} ${here} and residual ${there}; ${reach}`;
}

/** The means in numbers, for who does not see the picture or wants to know. */
function meansTable({ x, means, mean_rows, ends: [across] }, kind) {
  const edge = (band) => short(valueAt(band / means.length, across));
  const rows = means.map((mean, band) => h("tr", {}, h("td", { class: "num" }, edge(band)), h("td", { class: "num" }, edge(band + 1)), h("td", { class: "num" }, number(mean_rows[band])), h("td", { class: "num" }, mean === null ? "–" : short(mean))));
  const heads = [`${x} from`, "to", "rows", "mean residual"].map((word) => h("th", { scope: "col", class: "num" }, word));
  const table = h("table", {}, h("caption", { class: "unseen" }, `Means of ${kind} residuals along ${x}`), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
  return h("details", { class: "hexbin-means" }, h("summary", {}, "Means as a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Means along ${x}` }, table));
}

/** A number in three digits, with an exponent where it is shorter so. */
const short = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3))));
