// Elements without a framework.

/**
 * Make an element. Properties: `class`, `data`, `on` (a table of listeners), attributes; false and null leave one out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...any} children nodes, texts, lists of them; null and false are left out
 * @returns {any} the element
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Make an element of a picture.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...any} children elements, lists of them; null is left out
 * @returns {any} the element
 */
export function drawn(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

/** Set a text only if it differs: selections and screen readers are left alone. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show or hide without touching what is already so. */
export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/**
 * Keep what scrolls at its end, unless somebody has scrolled up: returns what does so after lines were added.
 * @param {HTMLElement} element
 */
export function endKeeper(element) {
  let isAtEnd = true; // as of the last scroll, not as it is: a window that gets narrower makes lines longer
  let [last, length] = [0, 0]; // only who goes up while nothing changes leaves the end: of lines that come meanwhile is heard later
  const hear = () => {
    const [top, whole] = [element.scrollTop, element.scrollHeight];
    isAtEnd = top + element.clientHeight >= whole - 8 || (isAtEnd && (top >= last - 1 || whole !== length));
    [last, length] = [top, whole];
  };
  element.addEventListener("scroll", hear, { passive: true });
  const keepEnd = () => isAtEnd && (element.scrollTop = element.scrollHeight);
  new ResizeObserver(keepEnd).observe(element);
  return keepEnd;
}

/** Tell people who listen to the page what changed. */
export function speak(text) {
  say(/** @type {HTMLElement} */ (document.getElementById("spoken")), text);
}

let count = 0;

/** An id that no other element has. */
export function fresh(stem) {
  count += 1;
  return `${stem}-${count}`;
}

/** A text with a button that copies it. */
export function copyable(text, label) {
  const button = h("button", { type: "button", class: "quiet copy", "aria-label": `Copy ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  const box = h("div", { class: "copyable" }, h("code", {}, text));
  if (navigator.clipboard) box.append(button); // only where the address is loopback or https
  return box;
}
