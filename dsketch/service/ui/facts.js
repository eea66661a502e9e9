// What the data at a typed path are like: shape, type, chunks, bytes, names of columns; nothing where there are none.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { bytes, number } from "./words.js";

const PAUSE = 300; // milliseconds without a key before the service is asked
const FEW = 6; // names that are shown at once

const times = (sizes) => sizes.map(number).join(" × ");

/** The lines for data as the service tells of them. */
export function factsView(found) {
  const names = found.columns;
  const rest = found.named - names.length;
  const all = [names.join(", "), rest > 0 && ` and ${number(rest)} more`];
  return [
    h(
      "p",
      {},
      h("strong", {}, times(found.shape)),
      ` ${found.dtype}${found.kind === "csr" ? ", sparse" : ""} · ${bytes(found.bytes)} · chunks of ${times(found.chunks)}`,
    ),
    names.length > FEW
      ? h("details", {}, h("summary", {}, `${number(found.named)} columns: ${names.slice(0, FEW).join(", ")}, …`), h("p", {}, all))
      : names.length > 0 && h("p", {}, "columns: ", all),
  ].filter(Boolean);
}

/** A box below a field that tells of the data at its path. */
export function factsBox() {
  const element = h("div", { class: "data-facts", hidden: true });
  let timer = 0;
  let asking = new AbortController();

  async function ask(path) {
    asking = new AbortController();
    const found = await get(`v1/data/facts?${new URLSearchParams({ place: path })}`, asking.signal).catch(() => null); // the check says why not
    if (found) element.replaceChildren(...factsView(found));
    show(element, found !== null);
  }

  /** Look at what lies at a path, when nothing more is typed for a moment. */
  function look(path) {
    clearTimeout(timer);
    asking.abort();
    show(element, false);
    if (path && !path.startsWith("upload:") && !path.includes("://")) timer = window.setTimeout(() => ask(path), PAUSE);
  }

  return { element, look };
}
