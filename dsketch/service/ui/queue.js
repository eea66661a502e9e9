// The page of all jobs: a filter by state and words, a live table, selected ones to cancel or delete, older pages.

import { get } from "./api.js";
import { copyable, h, show } from "./dom.js";
import { HEADS, jobRow } from "./queue-row.js";
import { ORDERS, filterBar } from "./queue-filter.js";
import { selection } from "./selection.js";
import { STATES } from "./state.js";
import { stateWord } from "./words.js";

const PAGE = 25;
const PAUSE = { live: 1000, still: 3000 }; // milliseconds between two looks

/** Fill the page; returns what ends it. */
export function queuePage(root, { query, about, trouble }) {
  const wanted = wantedOf(query);
  const filter = filterBar(wanted, (change, isTyped) => {
    Object.assign(wanted, { after: "" }, change);
    history[isTyped ? "replaceState" : "pushState"](null, "", address(wanted));
    lookNow();
  });
  const chosen = selection(() => lookNow());
  const body = h("tbody");
  const heads = HEADS.map((head) => headOf(head, chosen, sortBy));
  const table = h(
    "table",
    { class: "queue" },
    h("caption", { class: "unseen" }, "Jobs"),
    h("thead", {}, h("tr", {}, heads)),
    body,
  );
  const empty = h("div", { class: "empty", hidden: true });
  const [first, next] = [
    h("a", { class: "button", hidden: true }, "First page"),
    h("a", { class: "button", hidden: true }, "Next page"),
  ];
  root.append(
    h(
      "div",
      { class: "row head" },
      h("h1", { tabindex: "-1" }, "Jobs"),
      h("a", { class: "button is-primary", href: "#/new" }, "New job"),
    ),
    filter.element,
    h("div", { class: "card flush", "aria-busy": "true" }, table, empty),
    chosen.element,
    h("nav", { class: "row pager", "aria-label": "Pages" }, first, next),
  );
  const card = table.parentElement;
  const rows = new Map();
  const ending = new AbortController();
  let turn = 0;
  let timer = 0;

  async function look() {
    const mine = ++turn;
    const asked = parameters({ ...wanted, order: wanted.order || ORDERS[0][0] });
    asked.set("limit", String(PAGE));
    const page = await get(`v1/jobs?${asked}`, ending.signal);
    if (mine !== turn) return PAUSE.live; // somebody has asked for something else meanwhile
    filter.update(page.counts);
    heads.forEach((head, index) => markHead(head, HEADS[index][2], wanted.order));
    table.classList.toggle("has-owners", page.owners > 1);
    draw(page.jobs);
    show(first, Boolean(wanted.after));
    show(next, Boolean(page.next));
    first.setAttribute("href", address({ ...wanted, after: "" }));
    if (page.next) next.setAttribute("href", address({ ...wanted, after: page.next }));
    return page.counts.running + page.counts.planning ? PAUSE.live : PAUSE.still;
  }

  /** Sort by a column; once more, from its other end. */
  function sortBy(orders, begin) {
    Object.assign(wanted, { after: "", order: orders[wanted.order === orders[begin] ? 1 - begin : begin] });
    history.pushState(null, "", address(wanted));
    lookNow();
  }

  function draw(jobs) {
    const ids = new Set(jobs.map((job) => job.id));
    for (const [id, row] of rows) if (!ids.has(id)) [row.element.remove(), rows.delete(id)];
    jobs.forEach((job, index) => {
      const row = rows.get(job.id) ?? jobRow(job, chosen);
      rows.set(job.id, row);
      if (body.children[index] !== row.element) body.insertBefore(row.element, body.children[index] ?? null);
      row.update(job);
    });
    chosen.update(jobs);
    card?.removeAttribute("aria-busy");
    show(table, jobs.length > 0);
    show(empty, jobs.length === 0);
    const kind = jobs.length ? "" : JSON.stringify(wanted);
    if (empty.dataset.kind === kind) return;
    empty.dataset.kind = kind;
    if (kind) empty.replaceChildren(...(isNarrowed(wanted) ? nothingHere(wanted) : nothingYet(about())));
  }

  /** Look again and again while the page is seen; errors are shown and do not end it. */
  async function go() {
    let pause = PAUSE.still;
    try {
      if (!document.hidden) [(pause = await look()), trouble(null)];
    } catch (error) {
      if (!ending.signal.aborted) trouble(error);
    }
    clearTimeout(timer);
    if (!ending.signal.aborted) timer = setTimeout(go, pause);
  }

  function lookNow() {
    clearTimeout(timer);
    go();
  }

  go();
  return () => {
    ending.abort();
    clearTimeout(timer);
  };
}

/** @param {any[]} column as HEADS has it @param {any} chosen @param {(orders: any, begin: number) => void} sortBy */
function headOf([word, kind, orders, begin = 0], chosen, sortBy) {
  if (!word) return h("th", { scope: "col", class: kind }, chosen.all, h("span", { class: "unseen" }, "selected"));
  const sort = orders && h("button", { type: "button", class: "quiet sort", on: { click: () => sortBy(orders, begin) } }, word);
  return h("th", { scope: "col", class: kind }, sort ? [sort, h("span", { class: "small-only" }, word)] : word);
}

/** Say of a head whether the list is sorted by it. */
function markHead(head, orders, order) {
  if (!orders) return;
  const way = ["ascending", "descending"][orders.indexOf(order)];
  if (way) head.setAttribute("aria-sort", way);
  else head.removeAttribute("aria-sort");
}

// ---- what is asked for ---------------------------------------------------------------------------------------------

/** @returns {{state: string, search: string, order: string, tag: string[], after: string}} */
function wantedOf(query) {
  const known = (name, values) => (values.includes(query.get(name)) ? query.get(name) : "");
  return {
    state: known("state", STATES),
    search: query.get("search") ?? "",
    order: known(
      "order",
      ORDERS.slice(1).map(([name]) => name),
    ),
    tag: query.getAll("tag"),
    after: query.get("after") ?? "",
  };
}

/** What is asked for as an address has it; several tags are several parameters. */
function parameters(wanted) {
  const pairs = Object.entries(wanted).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return new URLSearchParams(pairs.filter(([, value]) => value));
}

const address = (wanted) => `#/?${parameters(wanted)}`;
const isNarrowed = ({ state, search, tag, after }) => Boolean(state || search || tag.length || after);

// ---- nothing to show -----------------------------------------------------------------------------------------------

function nothingHere({ state, search, tag }) {
  const isSought = Boolean(search || tag.length);
  const what = state ? `No job is ${stateWord(state)}` : isSought ? "No job is found" : "No more jobs";
  return [h("h2", {}, isSought && state ? `${what} of those found` : what), h("p", {}, h("a", { href: "#/" }, "Show all jobs"))];
}

function nothingYet(about) {
  const root = about.data_roots[0];
  if (!root)
    return [
      h("h2", {}, "No data can be read yet"),
      h("p", {}, "Jobs may only read below places that the service was told of. Start it with one:"),
      copyable("dsketch serve --data-root DIR", "the command"),
    ];
  const sample = new URLSearchParams({ A: "demo/A.zarr", b: "demo/b.zarr", name: "demo" });
  return [
    h("h2", {}, "No jobs yet"),
    h("p", {}, "Make a matrix with a known answer where this service may read it, then hand it in:"),
    copyable(`dsketch demo --rows 1000000 --cols 50 --dir ${root}/demo --keep`, "the command"),
    h("p", {}, h("a", { class: "button is-primary", href: `#/new?${sample}` }, "Fill in the form for it")),
    h(
      "p",
      { class: "help" },
      "From a terminal: ",
      h("code", {}, `dsketch jobs submit lstsq demo/A.zarr demo/b.zarr --follow --url ${location.origin}`),
    ),
  ];
}
