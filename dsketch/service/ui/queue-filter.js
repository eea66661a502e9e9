// What the list is asked for: a state, with the number of jobs in each; words; an order.

import { fresh, h, say } from "./dom.js";
import { STATES } from "./state.js";
import { number, stateWord } from "./words.js";

const TYPING = 250; // milliseconds after the last key until the service is asked

export const ORDERS = [
  ["active", "what runs first"],
  ["newest", "newest first"],
  ["oldest", "oldest first"],
  ...["state", "name", "problem", "owner"].flatMap((one) => [
    [one, `by ${one}`],
    [`-${one}`, `by ${one}, Z–A`],
  ]),
  ...["passes", "work"].flatMap((one) => [
    [`-${one}`, `most ${one} first`],
    [one, one === "passes" ? "fewest passes first" : "least work first"],
  ]),
];

/**
 * Make the bar: its element, and `update(counts)`.
 * @param {{state: string, search: string, order: string, tag: string[]}} wanted
 * @param {(change: object, isTyped?: boolean) => void} changed
 */
export function filterBar(wanted, changed) {
  const counts = new Map();
  const order = fresh("order");
  const search = h("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search name, owner, problem, data, tags",
    value: wanted.search,
    maxlength: "200",
  });
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => changed({ search: search.value.trim() }, true), TYPING);
  });
  const orders = h(
    "select",
    { id: order },
    ORDERS.map(([value, word]) => h("option", { value, selected: value === (wanted.order || ORDERS[0][0]) }, word)),
  );
  orders.addEventListener("change", () => changed({ order: orders.value === ORDERS[0][0] ? "" : orders.value }));

  function chip(value, word) {
    const count = h("span", { class: "count" });
    counts.set(value, count);
    const input = h("input", { type: "radio", name: "state", value, checked: value === wanted.state });
    input.addEventListener("change", () => changed({ state: value }));
    return h("label", { class: "chip" }, input, h("span", {}, word, " ", count));
  }

  function tagged(tag) {
    const listener = () => changed({ tag: wanted.tag.filter((one) => one !== tag) });
    const element = h("button", { type: "button", class: "tag is-on", "aria-label": `Jobs of other tags than ${tag}, too` }, tag, h("span", { "aria-hidden": "true" }, "×"));
    element.addEventListener("click", () => [element.remove(), listener()]);
    return element;
  }

  const element = h(
    "div",
    { class: "filter" },
    h(
      "fieldset",
      { class: "chips" },
      h("legend", { class: "unseen" }, "Show jobs in state"),
      chip("", "all"),
      STATES.map((one) => chip(one, stateWord(one))),
    ),
    h("div", { class: "row" }, search, h("label", { class: "unseen", for: order }, "Order"), orders),
    wanted.tag.length > 0 && h("div", { class: "tags" }, wanted.tag.map(tagged)),
  );

  function update(now) {
    const current = wanted.order || ORDERS[0][0];
    if (orders.value !== current) orders.value = current; // a head of the table may have changed it
    const all = Object.values(now).reduce((sum, count) => sum + count, 0);
    for (const [value, count] of counts) {
      const jobs = value ? now[value] : all;
      say(count, number(jobs));
      count.closest("label").classList.toggle("is-none", jobs === 0);
    }
  }

  return { element, update };
}
