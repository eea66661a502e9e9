// One coefficient of all targets: a map where they have two dimensions, else a strip; a click picks the target.

import { get } from "./api.js";
import { fresh, h, say, show } from "./dom.js";
import { notice } from "./notices.js";
import { figure } from "./words.js";

const FAMILIES = { value: "value", standard_error: "error", t: "t", z: "z", p: "p" };

/** Make the map: its element, `update(found)`, `choose(place)`, `isOffered(found)`. */
export function targetMap(id, picked) {
  const own = fresh("map");
  const chosen = h("select", { id: own });
  const column = h("select", { "aria-label": "What of it" });
  const canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "img" });
  const legend = h("p", { class: "help figure-line" });
  const here = h("p", { class: "help" });
  const trouble = h("div");
  const head = h("div", { class: "row" }, h("h3", {}, "All targets"), h("label", { for: own, class: "help" }, "coefficient"), chosen, column);
  const element = h("div", { class: "map", hidden: true }, head, canvas, legend, here, trouble);
  let found = null;
  let shown = null;
  let coefficient = 0;

  const isOffered = (now) => now.targets.count > 1;

  function update(now) {
    const isFirst = found === null;
    found = now;
    show(element, isOffered(now));
    if (!isOffered(now)) return;
    if (isFirst) {
      chosen.replaceChildren(...now.names.slice(0, 2000).map((name, place) => h("option", { value: place }, name)));
      column.replaceChildren(...Object.keys(FAMILIES).filter((name) => now.columns[name]).map((name) => h("option", { value: name }, FAMILIES[name])));
      renew();
    } else draw();
  }

  async function renew() {
    try {
      shown = await get(`v1/jobs/${id}/coefficients?coefficient=${coefficient}&column=${column.value || "value"}`);
      trouble.replaceChildren();
      draw();
    } catch (error) {
      trouble.replaceChildren(notice(error));
    }
  }

  /** Rows and columns of the picture: the last dimension across, all others down. */
  function laid() {
    const across = shown.shape.length > 1 ? shown.shape.at(-1) : shown.shape[0];
    return { across, down: Math.max(shown.values.length / across, 1) };
  }

  function draw() {
    if (!shown) return;
    const { across, down } = laid();
    const known = shown.values.filter((value) => value !== null);
    const [low, high] = [Math.min(...parts(known)), Math.max(...parts(known, Math.max))];
    const isSigned = low < 0 && high > 0;
    const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
    canvas.width = across;
    canvas.height = down;
    canvas.style.aspectRatio = `${across} / ${Math.max(down, across / 24)}`;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(across, down);
    shown.values.forEach((value, place) => picture.data.set(coloured(value, isSigned ? value / reach : (value - low) / (high - low || 1), isSigned), 4 * place));
    context.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", `${shown.name}, ${FAMILIES[shown.column]} of ${shown.whole.join(" × ")} targets, from ${figure(low)} to ${figure(high)}`);
    const every = shown.step > 1 ? `; every ${shown.step}th is shown` : "";
    say(legend, known.length ? `from ${figure(low)} to ${figure(high)}${isSigned ? ", white is 0" : ""}${every}` : "no target has a value");
    say(here, `target ${found.target} is in the table: ${place(found.target)}`);
  }

  const place = (target) => {
    let rest = target;
    const places = found.targets.shape.map((_, at) => {
      const size = found.targets.shape.slice(at + 1).reduce((one, other) => one * other, 1);
      const own_ = Math.floor(rest / size);
      rest %= size;
      return `${found.targets.dims[at] ?? `dimension ${at}`} ${own_}`;
    });
    return found.targets.names?.[target] ?? places.join(", ");
  };

  function pickedAt(event) {
    const box = canvas.getBoundingClientRect();
    const { across, down } = laid();
    const [x, y] = [Math.floor(((event.clientX - box.left) / box.width) * across), Math.floor(((event.clientY - box.top) / box.height) * down)];
    let rest = Math.min(Math.max(y, 0), down - 1) * across + Math.min(Math.max(x, 0), across - 1);
    const at = [...shown.shape].reverse().map((size) => [rest % size, (rest = Math.floor(rest / size))][0]);
    picked(at.reverse().reduce((sum, one, dimension) => sum * found.targets.shape[dimension] + one * shown.step, 0));
  }

  canvas.addEventListener("click", pickedAt);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: laid().across, ArrowUp: -laid().across }[event.key];
    if (!step) return;
    event.preventDefault();
    picked(Math.min(Math.max(found.target + step * shown.step, 0), found.targets.count - 1));
  });
  chosen.addEventListener("change", () => ((coefficient = Number(chosen.value)), renew()));
  column.addEventListener("change", renew);
  addEventListener("themechange", draw);
  return {
    element,
    update,
    isOffered,
    choose(place_) {
      coefficient = place_;
      chosen.value = String(place_);
      renew();
      element.scrollIntoView({ block: "nearest" });
    },
  };
}

/** Extremes of many numbers without spreading them over the stack. */
function parts(values, choose = Math.min) {
  return values.length ? [values.reduce((one, other) => choose(one, other))] : [0];
}

/** A colour: blue below 0 and red above it, or from pale to dark. */
function coloured(value, share, isSigned) {
  if (value === null) return [128, 128, 128, 70];
  if (!isSigned) return mixed([236, 244, 247], [8, 64, 92], share);
  return share < 0 ? mixed([247, 247, 247], [26, 92, 158], -share) : mixed([247, 247, 247], [176, 42, 32], share);
}

const mixed = (one, other, share) => [...one.map((from, at) => Math.round(from + (other[at] - from) * Math.min(share, 1))), 255];
