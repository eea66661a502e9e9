// What is typed for tokens: the form of a new one, and when one that is there shall end.

import { fresh, h } from "./dom.js";
import { answered, notice } from "./notices.js";

const MOST_DAYS = 36_600; // as the service takes them: a hundred years
const ROLES = { user: "user", reader: "reader: looks, changes nothing", admin: "admin: sees and changes all" };
const MARKS = "letters, digits, '.', '_', '-' or '@', at most 100";

/** The number that was typed, as people write one; NaN for anything else. */
const numberOf = (typed) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(typed) ? Number(typed) : NaN);

/** What is wrong with what was typed; null if nothing is. */
const complaints = {
  owner: (typed) =>
    typed
      ? /^[\p{L}\p{N}._@-]{1,100}$/u.test(typed)
        ? null
        : `owner must be ${MARKS}; got ${typed}.`
      : "owner was expected; it is empty. Give the name of whoever comes in with the token.",
  label: (typed) =>
    !typed || /^\p{L}[\p{L}\p{N}._@-]{0,99}$/u.test(typed) ? null : `label must begin with a letter and be ${MARKS}; got ${typed}.`,
  days: (typed) =>
    !typed || (numberOf(typed) > 0 && numberOf(typed) <= MOST_DAYS)
      ? null
      : `good for days must be a number above 0, at most ${MOST_DAYS.toLocaleString("en")}; got ${typed}. Leave it empty for no end.`,
};

/** A control with its label above it and what is wrong with it below: the element and `complain(words)`. */
function labelled(word, control) {
  const wrong = h("p", { class: "wrong", id: fresh("wrong"), hidden: true });
  const element = h("div", { class: "token-field" }, h("label", { for: control.id }, word), control, wrong);
  return {
    element,
    complain(words) {
      wrong.textContent = words ?? "";
      wrong.hidden = !words;
      for (const [name, value] of Object.entries({ "aria-invalid": "true", "aria-describedby": wrong.id }))
        if (words) control.setAttribute(name, value);
        else control.removeAttribute(name);
    },
  };
}

/** The form of a new token; `made(asked)` makes it. */
export function newTokenForm(made) {
  const said = h("div", { class: "form-said" });
  const text = (stem, more) => h("input", { id: fresh(stem), type: "text", autocomplete: "off", spellcheck: "false", ...more });
  const controls = {
    owner: text("owner"),
    role: h("select", { id: fresh("role") }, Object.entries(ROLES).map(([value, word]) => h("option", { value }, word))),
    label: text("label", { placeholder: "laptop" }),
    days: text("days", { inputmode: "decimal", placeholder: "no end" }),
  };
  const fields = {
    owner: labelled("owner", controls.owner),
    role: labelled("role", controls.role),
    label: labelled("label", controls.label),
    days: labelled("good for days", controls.days),
  };
  const submit = h("button", { type: "submit", class: "is-primary" }, "Make a token");
  const form = h(
    "form",
    { class: "token-new", "aria-label": "New token", novalidate: true },
    Object.values(fields).map((field) => field.element),
    submit,
    said,
  );

  /** Say what is wrong at each field, go to the first of them, and return whether there is one. */
  function refuses() {
    const wrong = Object.entries(complaints).filter(([name, complaint]) => {
      const words = complaint(controls[name].value.trim());
      fields[name].complain(words);
      return words;
    });
    if (wrong.length) controls[wrong[0][0]].focus();
    return wrong.length > 0;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.replaceChildren();
    if (refuses()) return;
    submit.disabled = true;
    const [owner, role, label, days] = ["owner", "role", "label", "days"].map((name) => controls[name].value.trim());
    await made({ owner, role, label, days: days ? numberOf(days) : null })
      .then(() => form.reset())
      .catch((error) => said.replaceChildren(notice(error)));
    submit.disabled = false;
  });
  return form;
}

/** Ask in how many days something shall end; resolves to their number, 0 for now, or to null if it shall not. */
export function askDays(question, loss) {
  const heading = fresh("ask");
  const input = h("input", { id: fresh("days"), type: "text", inputmode: "decimal", autocomplete: "off", value: "0", autofocus: true });
  input.addEventListener("focus", () => input.select(), { once: true }); // so that what is typed takes its place
  const field = labelled("days from now; 0: at once", input);
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
    field.element,
    h("p", {}, loss),
    h(
      "div",
      { class: "row end" },
      h("button", { type: "button", on: { click: () => dialog.close("no") } }, "Keep it"),
      h("button", { value: "yes", class: "is-danger" }, "Set end"),
    ),
  );
  form.addEventListener("submit", (event) => {
    const typed = input.value.trim();
    const isDays = numberOf(typed) >= 0 && numberOf(typed) <= MOST_DAYS;
    field.complain(isDays ? null : `days from now must be a number from 0 to ${MOST_DAYS.toLocaleString("en")}; got ${typed || "nothing"}.`);
    if (isDays) return;
    event.preventDefault();
    input.focus();
  });
  const dialog = h("dialog", { "aria-labelledby": heading }, h("h2", { id: heading }, question), form);
  return answered(dialog, () => (dialog.returnValue === "yes" ? numberOf(input.value.trim()) : null));
}
