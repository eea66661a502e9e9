// One field of a form: label, control, help, and the place where its error stands.

import { fresh, h } from "./dom.js";
import { factsBox } from "./facts.js";
import { withPaths } from "./paths.js";

/**
 * @param {import("./fields.js").Field} field
 * @param {string|boolean} typed
 * @param {(typed: string|boolean) => void} changed
 */
export function inputOf(field, typed, changed) {
  const [id, help, wrong] = [fresh("field"), fresh("help"), fresh("wrong")];
  const described = { id, name: field.name, "aria-describedby": help };
  const control = MAKE[field.kind === "choice" || field.kind === "bool" ? field.kind : "text"](field, typed, described);
  const box = field.roots ? withPaths(control, field.label, field.roots) : control;
  const facts = field.roots ? factsBox() : null;
  facts?.look(String(typed));
  const read = () => (field.kind === "bool" ? control.checked : control.value.trim());
  control.addEventListener(field.kind === "choice" || field.kind === "bool" ? "change" : "input", () => {
    complain(null);
    facts?.look(read());
    changed(read());
  });
  const error = h("p", { class: "wrong", id: wrong, hidden: true });
  const label = h("label", { for: id }, field.label, field.label !== field.name && [" ", h("code", {}, field.name)], field.isNeeded && h("span", { class: "muted" }, " needed"));
  const element = h(
    "div",
    { class: `field is-${field.kind}` },
    label,
    box,
    facts?.element,
    h("p", { class: "help", id: help }, field.help),
    error,
  );

  /** Show an error here, or none. */
  function complain(parts) {
    error.hidden = !parts;
    error.replaceChildren(
      ...(parts ?? []).filter(Boolean).map((part, index) => h("span", { class: index ? "advice" : "" }, part, " ")),
    );
    control.setAttribute("aria-describedby", parts ? `${wrong} ${help}` : help);
    if (parts) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }

  return { element, complain, focus: () => control.focus() };
}

const MAKE = {
  text: (field, typed, described) =>
    h("input", {
      ...described,
      type: "text",
      value: typed,
      placeholder: field.hint,
      autocomplete: "off",
      spellcheck: "false",
      inputmode: field.kind === "int" ? "numeric" : null,
      "aria-required": field.isNeeded ? "true" : null,
    }),
  bool: (field, typed, described) => h("input", { ...described, type: "checkbox", checked: Boolean(typed) }),
  choice: (field, typed, described) =>
    h(
      "select",
      described,
      field.choices.map((choice) => h("option", { value: choice, selected: choice === typed }, choice)),
    ),
};
