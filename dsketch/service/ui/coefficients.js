// The answer itself: a table of coefficients by name, sorted and searched, with a bar for each interval, and where targets are many a map.

import { Refusal, get, post } from "./api.js";
import { download } from "./download.js";
import { fresh, h, say, show } from "./dom.js";
import { targetMap } from "./map.js";
import { notice } from "./notices.js";
import { longTable } from "./rows.js";
import { bytes, figure, number, seconds } from "./words.js";

const TITLES = {
  name: ["coefficient", "its column of A"],
  value: ["value", "its estimate"],
  standard_error: ["error", "standard error"],
  t: ["t", "value over error"],
  z: ["z", "value over error"],
  p: ["p", "two-sided: how often as large a value comes by chance where the true one is 0"],
};
const FIT = {
  r_squared: "R²",
  adjusted_r_squared: "adjusted R²",
  residual_variance: "residual variance",
  f_p_value: "p of F",
  deviance: "deviance",
  dispersion: "dispersion",
  aic: "AIC",
};
const ALPHABET = new Intl.Collator(undefined, { numeric: true }); // made once: of each pair anew, thousands of names take a second
const LISTED = 500; // targets by name in a list; of more one types the number

/** Make the card's content: its element, and `load(job, solution)`, which shows the coefficients or says that there are none. */
export function coefficientsView(id) {
  const said = h("p", { class: "help" });
  const trouble = h("div");
  const search = h("input", { type: "search", placeholder: "Search names", "aria-label": "Search names of coefficients" });
  const picker = h("span", { class: "picker" });
  const saves = h("span", { class: "row" });
  const price = h("p", { class: "help" });
  const tableBox = h("div");
  const fit = h("p", { class: "fit" });
  const map = targetMap(id, (target) => pick(target).catch(fail));
  const bar = h("div", { class: "row spread" }, h("span", { class: "row" }, search, picker), saves);
  const element = h("div", { class: "pad coefficients" }, bar, price, tableBox, fit, said, trouble, map.element);
  let found = null;
  let order = { by: "place", down: false };
  let rows = [];
  let job = null;
  let long = null;
  let heads = [];

  const fail = (error) => trouble.replaceChildren(notice(error));

  async function load(now, solution) {
    job = now;
    try {
      found = await get(`v1/jobs/${id}/coefficients?target=0`);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return false;
      throw error;
    }
    element.removeAttribute("hidden");
    made(solution);
    return true;
  }

  function made(solution) {
    heads = ["name", ...["value", "standard_error", "t", "z", "p"].filter((name) => found.columns[name])];
    const titles = heads.map((name) => headOf(name));
    const table = h("table", { class: "coefficient-table" }, h("thead", {}, h("tr", {}, titles, h("th", { class: "wide-only" }, intervalTitle()))));
    table.setAttribute("aria-label", "Coefficients");
    long = longTable(table, heads.length + 1);
    tableBox.replaceChildren(long.element);
    pickerOf();
    savesOf(solution);
    map.update(found);
    draw();
  }

  const intervalTitle = () => (found.level ? `${Math.round(100 * found.level)} % interval` : "size");

  function headOf(name) {
    const [title, help] = TITLES[name];
    const button = h("button", { type: "button", class: "quiet sort", title: help }, title);
    button.addEventListener("click", () => {
      order = { by: name, down: order.by === name ? !order.down : name !== "name" && name !== "p" };
      long.top();
      draw();
    });
    return h("th", { scope: "col", class: classOf(name), data: { column: name } }, button);
  }

  function draw() {
    for (const head of tableBox.querySelectorAll("th[data-column]")) {
      if (head.dataset.column === order.by) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const wanted = search.value.trim().toLowerCase();
    rows = found.names.map((_, place) => place).filter((place) => found.names[place].toLowerCase().includes(wanted));
    if (order.by !== "place") rows.sort(compared);
    const scale = scaleOf(found.columns);
    long.update(rows.length, (index) => rowOf(rows[index], scale));
    say(said, told());
    fit.replaceChildren(...fitted(found).map(([word, value]) => h("span", {}, h("span", { class: "muted" }, word), " ", h("strong", {}, value))));
    show(fit, fit.childElementCount > 0);
  }

  function compared(one, other) {
    const sign = order.down ? -1 : 1;
    if (order.by === "name") return sign * ALPHABET.compare(found.names[one], found.names[other]);
    const values = found.columns[order.by];
    const size = (place) => (values[place] === null ? -Infinity : order.by === "p" ? values[place] : Math.abs(values[place]));
    return sign * (size(one) - size(other)) || one - other;
  }

  function rowOf(place, scale) {
    const sure = !found.is_estimable || found.is_estimable[place];
    const cells = heads.slice(1).map((name) => h("td", { class: classOf(name) }, shown(name, found.columns[name][place])));
    const name = h("button", { type: "button", class: "quiet name-cell", title: found.names[place] }, sure ? found.names[place] : `${found.names[place]} *`);
    name.addEventListener("click", () => map.choose(place));
    return h("tr", {}, h("td", {}, map.isOffered(found) ? name : h("span", { title: found.names[place] }, name.textContent)), cells, h("td", { class: "wide-only" }, interval(found.columns, place, scale)));
  }

  function told() {
    const count = rows.length === found.names.length ? "" : `${number(rows.length)} of ${number(found.names.length)} coefficients. `;
    const stars = found.is_estimable?.includes(false) ? "* is not determined by the data by itself. " : "";
    return `${count}${stars}${found.notes.join(" ")}`.trim();
  }

  // ---- targets -----------------------------------------------------------------------------------------------------

  async function pick(target) {
    found = { ...(await get(`v1/jobs/${id}/coefficients?target=${target}`)) };
    trouble.replaceChildren();
    const chooser = picker.querySelector("select, input");
    if (chooser && chooser.value !== String(target)) chooser.value = String(target);
    map.update(found);
    draw();
  }

  function pickerOf() {
    const { count, names, shape } = found.targets;
    if (count < 2) return;
    const own = fresh("target");
    const chooser =
      names && count <= LISTED
        ? h("select", { id: own }, names.map((name, place) => h("option", { value: place }, name)))
        : h("input", { id: own, type: "number", min: 0, max: count - 1, step: 1, value: 0 });
    chooser.addEventListener("change", () => pick(Math.min(Math.max(Number(chooser.value) || 0, 0), count - 1)).catch(fail));
    picker.replaceChildren(h("label", { for: own }, "target"), chooser, h("span", { class: "help" }, `of ${shape.map(number).join(" × ")}`));
  }

  // ---- what may be fetched or asked for --------------------------------------------------------------------------------

  function savesOf(solution) {
    const save = (word, form) => {
      const button = h("button", { type: "button" }, word);
      button.addEventListener("click", () => download(id, form).catch(fail));
      return button;
    };
    const isByTarget = job.spec.missing === "drop" || Boolean(job.spec.out_dir);
    const lacks = "summary" in job.spec && !isByTarget && !found.columns.standard_error;
    say(price, "");
    saves.replaceChildren(...(lacks ? [errorsOf(solution)] : []), save("CSV", "csv"), save("Parquet", "parquet"), save("Zarr", "zarr"));
  }

  function errorsOf(solution) {
    const pass = solution.passes.find((one) => one.read_bytes) ?? { read_bytes: 0, seconds: 0 };
    const cost = `Reads the data once or twice more: ${bytes(pass.read_bytes)} and about ${seconds(pass.seconds)} each. It is a job of its own.`;
    const button = h("button", { type: "button", class: "is-primary", title: cost }, "Standard errors");
    button.addEventListener("click", async () => {
      try {
        location.hash = `#/jobs/${(await post(`v1/jobs/${id}/errors`, {})).id}`;
      } catch (error) {
        fail(error);
      }
    });
    say(price, `Standard errors: ${cost.charAt(0).toLowerCase()}${cost.slice(1)}`);
    return button;
  }

  search.addEventListener("input", () => found && draw());
  return { element, load, found: () => found };
}

/** Of a column: on a telephone t and z give way, as value and error tell them. */
const classOf = (name) => (name === "name" ? "" : name === "t" || name === "z" ? "num wide-only" : "num");

// ---- numbers and bars ------------------------------------------------------------------------------------------------

function shown(name, value) {
  if (value === null) return "–";
  if (name === "p") return value < 1e-4 ? (value === 0 ? "< 1e-300" : value.toExponential(1)) : value.toFixed(4);
  if (name === "t" || name === "z") return Math.abs(value) < 1e5 ? value.toFixed(2) : figure(value);
  return precise(value);
}

/** Six digits, with an exponent where it is shorter so. */
const precise = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4 ? value.toExponential(5) : String(Number(value.toPrecision(6))));

/** The common axis of all bars: from the least to the largest, 0 among them; a few far ones do not make the others vanish. */
function scaleOf(columns) {
  const ends = [...(columns.low ?? columns.value), ...(columns.high ?? columns.value)].filter((value) => value !== null);
  const [low, high] = [Math.min(0, reduceBy(Math.min, ends)), Math.max(0, reduceBy(Math.max, ends))];
  return { low, span: high - low || 1 };
}

const reduceBy = (choose, values) => values.reduce((one, other) => choose(one, other), 0);

function interval(columns, place, { low, span }) {
  const at = (value) => `${(100 * (value - low)) / span}%`;
  const value = columns.value[place];
  if (value === null) return h("span", { class: "help" }, "no value");
  const [from, to] = columns.low ? [columns.low[place], columns.high[place]] : [Math.min(0, value), Math.max(0, value)];
  const element = h("span", { class: "whisker", "aria-hidden": "true" });
  const zero = h("i", { class: "zero" });
  zero.style.left = at(0);
  element.append(zero);
  if (from !== null && to !== null) {
    const bar = h("i", { class: columns.low ? "reach" : "reach is-size" });
    bar.style.left = at(from);
    bar.style.width = `max(1px, ${(100 * (to - from)) / span}%)`;
    element.append(bar);
  }
  const dot = h("i", { class: "dot" });
  dot.style.left = at(value);
  element.append(dot);
  return element;
}

function fitted(found) {
  const whole = found.whole.rows ? [["rows", number(Math.round(found.whole.rows))], ["rank", String(found.whole.rank)]] : [];
  const names = Object.keys(FIT).filter((name) => typeof found.fit[name] === "number");
  return [...names.map((name) => [FIT[name], name === "f_p_value" ? shown("p", found.fit[name]) : precise(found.fit[name])]), ...whole];
}
