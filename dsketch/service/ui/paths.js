// Paths below the places of data, completed while one types: a combobox over the folders that the service lists.

import { Refusal, get } from "./api.js";
import { fresh, h, show, speak } from "./dom.js";
import { number } from "./words.js";

const PAUSE = 150; // milliseconds without a key before a folder is asked for
const PAGE = 50;
const KINDS = { array: "array", group: "group", folder: "folder", table: "file, to be ingested" };

/**
 * @typedef {{name: string, value: string, about: string, isOpen?: boolean, after?: string}} Offer what may be chosen: the path it gives,
 *   whether there is something inside, and for "more" where the next page begins
 */

/** Cut a path into its folder, with the slash, and what the name begins with. */
export function cut(typed) {
  const end = typed.lastIndexOf("/") + 1;
  return [typed.slice(0, end), typed.slice(end)];
}

/** Whether what is typed is the only path that fits, so that there is nothing to offer. */
const isWhole = (offers, typed) => offers.length === 1 && offers[0].value === typed && !offers[0].isOpen && !offers[0].after;

/** The words beside a name: what it is, shape and type. */
export function wordsOf(entry) {
  const shape = entry.shape ? entry.shape.map(number).join(" × ") : "";
  return [shape || KINDS[entry.kind] || entry.kind, entry.dtype].filter(Boolean).join(" ");
}

/** What fits to what is typed: the entries of its folder, and places that begin so; or a sentence why there is nothing. */
export async function offersFor(typed, roots, { prefix = cut(typed)[1], after = "", signal = null } = {}) {
  const [folder] = cut(typed);
  const isFirstHere = roots.length > 0 && !roots[0].includes("://");
  const places = roots
    .filter((root, index) => root.startsWith(typed) && root !== typed && (typed || index || !isFirstHere))
    .map((root) => ({ name: root, value: `${root}/`, about: root.includes("://") ? "object store" : "place of data", isOpen: true }));
  if (typed.includes("://") && !roots.some((root) => typed.startsWith(`${root}/`)))
    return { offers: places, said: places.length ? "" : "Nothing can be read there: begin with one of the places of data." };
  if (!folder && !isFirstHere) return { offers: places, said: places.length ? "" : "Type a path, or choose a place." };
  const query = new URLSearchParams({ place: folder || ".", prefix, after, limit: String(PAGE) });
  try {
    const page = await get(`v1/data?${query}`, signal ?? undefined);
    const up = page.parent !== null && !after && !prefix ? [upFrom(folder, page.parent)] : [];
    const found = page.entries.map((entry) => offerOf(entry, folder));
    const more = page.next === null ? [] : [{ name: "More …", value: typed, about: "", after: page.next }];
    const none = `Nothing in this folder begins with ${prefix}.`;
    const said = found.length || places.length ? "" : prefix ? none : "Nothing here can be read by a run.";
    return { offers: [...up, ...found, ...more, ...places], said: page.is_cut ? "More names than are looked at: type how it begins." : said };
  } catch (error) {
    if (!(error instanceof Refusal) || error.status === 401) throw error;
    return { offers: places, said: places.length ? "" : error.finding.replace(/^place /, "a folder ") };
  }
}

const offerOf = (entry, folder) => {
  const isOpen = entry.kind === "folder" || entry.kind === "group";
  return { name: `${entry.name}${isOpen ? "/" : ""}`, value: `${folder}${entry.name}${isOpen ? "/" : ""}`, about: wordsOf(entry), isOpen };
};

const upFrom = (folder, parent) => ({
  name: "../",
  value: folder.startsWith("/") ? `${parent}/` : folder.replace(/[^/]*\/$/, ""),
  about: "folder above",
  isOpen: true,
});

/**
 * Let an input offer paths.
 * @param {HTMLInputElement} input
 * @param {string} label of the field
 * @param {string[]} roots
 * @returns {HTMLElement} what to show in its place: the input, a button to browse, the list
 */
export function withPaths(input, label, roots) {
  const id = fresh("paths");
  const list = h("ul", { role: "listbox", id, "aria-label": `Paths for ${label}` });
  const said = h("p", { class: "help" });
  const popup = h("div", { class: "paths", hidden: true }, list, said);
  const browse = h("button", { type: "button", class: "quiet", "aria-label": `Browse for ${label}` }, "Browse");
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", id], ["aria-expanded", "false"]])
    input.setAttribute(name, value);
  /** @type {Offer[]} */
  let offers = [];
  let active = -1;
  let timer = 0;
  let asking = new AbortController();

  function close() {
    clearTimeout(timer);
    asking.abort();
    show(popup, false);
    input.setAttribute("aria-expanded", "false");
    mark(-1);
  }

  function mark(place) {
    active = place;
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === place)));
    if (place < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  function fill(found, sentence) {
    offers = found;
    list.replaceChildren(
      ...offers.map((offer, index) =>
        h(
          "li",
          { role: "option", id: `${id}-${index}`, "aria-selected": "false", on: { click: () => choose(index) } },
          h("span", { class: "path" }, offer.name),
          h("span", { class: "muted" }, offer.about),
        ),
      ),
    );
    said.textContent = sentence;
    show(said, Boolean(sentence));
    show(list, offers.length > 0);
    show(popup, true);
    input.setAttribute("aria-expanded", String(offers.length > 0));
    mark(-1);
    speak(sentence || `${number(offers.length)} ${offers.length === 1 ? "path" : "paths"}`);
  }

  async function look(options = {}) {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const found = await offersFor(input.value.trim(), roots, { ...options, signal });
      if (signal.aborted) return;
      if (isWhole(found.offers, input.value.trim())) return close();
      const known = options.after ? offers.filter((offer) => !offer.after) : [];
      fill([...known, ...found.offers.filter((offer) => !known.some((one) => one.value === offer.value))], found.said);
      if (options.after) mark(Math.min(known.length, offers.length - 1));
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }

  function choose(place) {
    const offer = offers[place];
    if (offer.after) return void look({ prefix: beginning, after: offer.after });
    input.value = offer.value;
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
    clearTimeout(timer);
    if (offer.isOpen) open();
  }

  let beginning = ""; // what names in the list begin with

  function open(prefix = cut(input.value.trim())[1]) {
    beginning = prefix;
    look({ prefix });
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(open, PAUSE);
  });
  input.addEventListener("blur", () => close());
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && popup.hidden) open();
    else if (step && offers.length) mark((active + step + offers.length + (active < 0 && step < 0 ? 1 : 0)) % offers.length);
    else if (event.key === "Enter" && active >= 0) choose(active);
    else if (event.key === "Escape" && !popup.hidden) close();
    else return;
    event.preventDefault();
  });
  for (const part of [popup, browse]) part.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
  browse.addEventListener("click", () => {
    if (!popup.hidden) return close();
    input.focus();
    open("");
  });
  return h("div", { class: "pick" }, input, browse, popup);
}
