// A plan: what will be done, what it costs, what was rejected and why.

import { h } from "./dom.js";
import { bytes, figure, passes, seconds } from "./words.js";

/** What a run would cost, in a line. */
export function costOf(plan) {
  const read = `${passes(plan.passes)}, ${bytes(plan.read_bytes)} read, about ${seconds(plan.seconds)}`;
  return `Cost: ${read}, ${bytes(plan.memory_bytes)} of memory a thread; by ${plan.method}.`;
}

/** Show a plan as the service returns it. */
export function planView(plan) {
  const facts = [
    ["method", [h("strong", {}, plan.method), ` — ${plan.why}`]],
    ["cost", `${passes(plan.passes)}, ${bytes(plan.read_bytes)} read, about ${seconds(plan.seconds)}`],
    ["memory", `${bytes(plan.memory_bytes)} of ${bytes(plan.memory_limit_bytes)} a thread`],
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
