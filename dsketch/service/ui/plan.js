// A plan: what will be done, what it costs, what was rejected and why.

import { h } from "./dom.js";
import { bytes, figure, passes, seconds } from "./words.js";

/** What a run would cost, in a line. */
export function costOf(plan) {
  const read = `${passes(plan.passes)}, ${bytes(plan.read_bytes)} read, about ${seconds(plan.seconds)}`;
  return `Cost: ${read}, ${bytes(plan.memory_bytes)} of memory a thread; by ${plan.method}.`;
}

/**
 * Show a plan as the service returns it, and where the run went another way.
 * @param {any} plan
 * @param {string|null} [used] the method of the answer, once there is one
 */
export function planView(plan, used = null) {
  const isOther = used !== null && used !== plan.method;
  const facts = [
    isOther ? ["used", [h("strong", {}, used), " — the run gave way to it from the plan's choice below; the notes of its certificate say why"]] : ["", null],
    ["method", [h("strong", {}, plan.method), ` — ${plan.why}`]],
    ["cost", `${passes(plan.passes)}, ${bytes(plan.read_bytes)} read${plan.seconds === null ? "" : `, about ${seconds(plan.seconds)}`}`],
    ["memory", plan.memory_bytes === null ? null : `${bytes(plan.memory_bytes)} of ${bytes(plan.memory_limit_bytes)} a thread`],
    ["store", plan.store && storeSentence(plan.store, plan.dollars)],
    ["matrix", plan.matrix],
    ["machine", plan.means],
    ["condition", plan.condition_hint ? `about ${figure(plan.condition_hint)} in the rows that were looked at` : null],
    ...plan.details.map((detail) => ["detail", detail]),
  ];
  const others = Object.entries(plan.rejected);
  return [
    h(
      "dl",
      { class: "facts" },
      facts.filter(([, what]) => what).map(([word, what]) => [h("dt", {}, word), h("dd", {}, what)]),
    ),
    others.length > 0 && [
      h("h3", {}, "Rejected"),
      h(
        "dl",
        { class: "facts is-rejected" },
        others.map(([name, why]) => [h("dt", {}, name), h("dd", {}, why)]),
      ),
    ],
  ];
}

/**
 * Say what is asked of stores on other machines, and what that costs where the service knows their prices.
 * @param {{requests: number, nbytes: number, seconds: number}} store
 * @param {number|undefined} dollars
 */
function storeSentence(store, dollars) {
  const words = [`${store.requests.toLocaleString("en")} requests`, `${bytes(store.nbytes)} sent`];
  if (store.seconds > 0) words.push(`about ${seconds(store.seconds)} of reading`);
  if (dollars !== undefined) words.push(`$${Number(dollars.toPrecision(2))}`);
  return words.join(", ");
}
