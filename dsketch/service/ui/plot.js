// The live convergence plot: backward error and residual over passes, on log axes, one panel below the other with one cursor.

import { h, say, show } from "./dom.js";
import { decadeSplits, decades, fewSplits, snug, tick } from "./scales.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { figure } from "./words.js";

const GUTTER = 66; // pixels for the labels on the left: the same for both panels, so that passes stand below each other
const QR_LEVEL = 4.4e-16; // what a run without tol aims at (dsketch/methods/base.py)
const LEAST = 1e-18; // where an exact 0 is drawn: a log axis has no place for it
const MARKED = 60; // points that get a mark each; more are a line
const PANELS = [
  { key: "backward_error", title: "stopping error: the backward error that the method had at hand", height: 200, colour: "--accent", range: decades, splits: decadeSplits },
  {
    key: "residual_norm",
    title: "residual norm; a mark on the axis for each pass",
    height: 116,
    colour: "--ink-soft",
    range: snug,
    splits: fewSplits,
    hasPasses: true,
  },
];

/** Make the plot: its element, `update(run, isResting)` and `dispose()`. */
export function convergencePlot() {
  const readout = h("p", { class: "readout", "aria-live": "off" });
  const empty = h("p", { class: "plot-empty" });
  const key = uPlot.sync(`passes-${Math.random()}`);
  const panels = PANELS.map((panel) => panelOf(panel, key.key, at));
  const element = h(
    "figure",
    { class: "plot", role: "img" },
    readout,
    panels.map((panel) => panel.element),
    empty,
  );
  let known = { numbers: [], points: [], resting: false, run: null };

  function at(index) {
    const here = known.numbers.length ? (index ?? known.numbers.length - 1) : -1;
    const point = known.points[here];
    const said = point
      ? `pass ${known.numbers[here]}:  stopping error ${figure(point.backward_error)}   residual ${figure(point.residual_norm)}`
      : "";
    say(readout, said || " ");
  }

  function update(run, isResting) {
    const numbers = [...run.points.keys()].sort((one, other) => one - other);
    const points = numbers.map((number) => run.points.get(number));
    known = { numbers, points, resting: isResting, run };
    element.dataset.points = String(numbers.length);
    element.setAttribute("aria-label", described(numbers, points));
    show(empty, !numbers.length);
    say(
      empty,
      isResting ? "This run measured no backward error on its way." : "A point comes with each pass that measures the error.",
    );
    const facts = {
      goal: goalOf(run.plan),
      now: isResting || run.live?.is_done ? null : (run.live?.number ?? null),
      done: [...run.passes.keys()],
      last: Math.max(2, ...run.passes.keys(), isResting ? 0 : Math.min(run.expected, roomFor(run.passes.size))),
    };
    for (const panel of panels) panel.update(numbers, points, facts);
    at(null);
  }

  const redraw = () => panels.forEach((panel) => panel.renew());
  addEventListener("themechange", redraw);
  return {
    element,
    update,
    dispose() {
      removeEventListener("themechange", redraw);
      panels.forEach((panel) => panel.dispose());
    },
  };
}

function described(numbers, points) {
  if (!numbers.length) return "Convergence: no point yet";
  const last = points.length - 1;
  const ends = last ? `from ${figure(points[0].backward_error)} at pass ${numbers[0]} to ` : "";
  return `Convergence: stopping error ${ends}${figure(points[last].backward_error)} at pass ${numbers[last]}; the table of passes has all`;
}

/** What a run aims at, where the plan says so in terms of the backward error. */
function goalOf(plan) {
  if (!plan) return null;
  if (plan.tol) return { value: Math.max(plan.tol, QR_LEVEL), word: "tol" };
  return plan.text?.includes("Householder QR") ? { value: QR_LEVEL, word: "QR" } : null;
}

/** To which pass the axis of a running job reaches at most: what is done has a quarter of it or more, and it seldom changes. */
const roomFor = (done) => Math.max(16, 2 ** (Math.ceil(Math.log2(done + 1)) + 1));

// ---- one panel -----------------------------------------------------------------------------------------------------

function panelOf(panel, sync, at) {
  const box = h("div", { class: "panel", style: `height:${panel.height}px` });
  const element = h("div", {}, h("div", { class: "panel-title" }, panel.title), box);
  let facts = { goal: null, now: null, done: [], last: 2 };
  let data = [[], []];
  let chart = null;

  function renew() {
    chart?.destroy();
    chart = box.clientWidth
      ? new /** @type {any} */ (uPlot)(
          optionsOf(panel, sync, box.clientWidth, () => facts, at),
          data,
          box,
        )
      : null;
  }

  const sizes = new ResizeObserver(() => {
    if (!chart) renew();
    else if (box.clientWidth && chart.width !== box.clientWidth) chart.setSize({ width: box.clientWidth, height: panel.height });
  });
  sizes.observe(box);
  return {
    element,
    renew,
    update(numbers, points, now) {
      facts = now;
      data = [numbers, points.map((point) => drawable(point[panel.key]))];
      chart?.setData(data);
    },
    dispose() {
      sizes.disconnect();
      chart?.destroy();
    },
  };
}

const drawable = (value) => (value === null || value === undefined ? null : Math.max(value, LEAST));

function optionsOf(panel, sync, width, facts, at) {
  const ink = colour("--muted");
  const grid = { stroke: colour("--grid"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink, font, grid, ticks: { show: false } };
  const line = colour(panel.colour);
  return {
    width,
    height: panel.height,
    padding: [8, 12, panel.hasPasses ? 0 : 4, 0],
    legend: { show: false },
    cursor: { sync: { key: sync }, y: false, drag: { x: false, y: false }, points: { size: 9 } },
    scales: {
      x: { time: false, range: () => [0.5, facts().last + 0.5] },
      y: { distr: 3, range: (_, least, most) => panel.range(least, most, facts().goal) },
    },
    axes: [
      { ...axis, show: Boolean(panel.hasPasses), size: 22, gap: 3, space: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      {
        ...axis,
        size: GUTTER,
        gap: 6,
        splits: (_, __, least, most) => panel.splits(least, most),
        values: (_, splits) => splits.map((value) => tick(value, splits)),
        filter: (_, splits) => splits,
      },
    ],
    series: [
      {},
      {
        stroke: line,
        width: 1.75,
        spanGaps: true,
        points: { show: (chart) => chart.data[0].length <= MARKED, size: 6, stroke: line, fill: line },
      },
    ],
    hooks: {
      drawAxes: [(chart) => underlay(chart, panel, facts())],
      setCursor: [(chart) => at(chart.cursor.idx)],
    },
  };
}

/** Draw what the points are read against: the goal, the pass under way, and a mark for each pass that was made. */
function underlay(chart, panel, { goal, now, done }) {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = ratio;
  if (now !== null) {
    const x = chart.valToPos(now, "x", true);
    ctx.fillStyle = colour("--accent-wash");
    const half = Math.max(chart.valToPos(now + 0.5, "x", true) - x, 2 * ratio);
    ctx.fillRect(x - half, bbox.top, 2 * half, bbox.height);
  }
  if (panel.hasPasses) {
    ctx.strokeStyle = colour("--muted");
    for (const number of done) stroke(ctx, chart.valToPos(number, "x", true), bbox.top + bbox.height - 4 * ratio, 0, 4 * ratio);
  }
  if (goal && panel.key === "backward_error") {
    const y = chart.valToPos(goal.value, "y", true);
    ctx.strokeStyle = ctx.fillStyle = colour("--good");
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    stroke(ctx, bbox.left, y, bbox.width, 0);
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.fillText(`goal (${goal.word})`, bbox.left + 4 * ratio, y - 5 * ratio);
  }
  ctx.restore();
}

function stroke(ctx, x, y, width, height) {
  ctx.beginPath();
  ctx.moveTo(Math.round(x) + 0.5, Math.round(y) + 0.5);
  ctx.lineTo(Math.round(x + width) + 0.5, Math.round(y + height) + 0.5);
  ctx.stroke();
}

/** A colour of the stylesheet as the canvas takes it: custom properties are resolved only where they are used. */
function colour(name) {
  const probe = h("span", { style: `color: var(${name})`, hidden: true });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
