// Sentences for what went wrong, and the dialogs.

import { Refusal } from "./api.js";
import { fresh, h } from "./dom.js";

/** An error as a box: what was expected and found, then what to do. */
export function notice(error) {
  const finding = error instanceof Refusal ? error.finding : String(error.message ?? error);
  const advice = error instanceof Refusal ? error.advice : null;
  return h("div", { class: "notice is-bad", role: "alert" }, h("p", {}, finding), advice && h("p", { class: "advice" }, advice));
}

/** Ask before something is destroyed; resolves to whether it may be. */
export function confirmed(question, loss, verb) {
  const heading = fresh("ask");
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading },
    h("h2", { id: heading }, question),
    h("p", {}, loss),
    h(
      "form",
      { method: "dialog", class: "row end" },
      h("button", { value: "no", autofocus: true }, "Keep it"),
      h("button", { value: "yes", class: "is-danger" }, verb),
    ),
  );
  return answered(dialog, () => dialog.returnValue === "yes");
}

/** Show what is shown this once; resolves when it was closed. */
export function shownOnce(title, words, content) {
  const heading = fresh("once");
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading },
    h("h2", { id: heading }, title),
    content,
    h("p", {}, words),
    h("form", { method: "dialog", class: "row end" }, h("button", { class: "is-primary", autofocus: true }, "I have kept it")),
  );
  return answered(dialog, () => null);
}

/** Ask for the token; resolves to what was typed, or null. */
export function askToken(error) {
  const [heading, name, help] = [fresh("ask"), fresh("token"), fresh("help")];
  const input = h("input", {
    id: name,
    type: "password",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
    "aria-describedby": help,
  });
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading },
    h("h2", { id: heading }, "This service asks for a token"),
    error && notice(error),
    h(
      "form",
      { method: "dialog" },
      h("label", { for: name }, "Token"),
      input,
      h(
        "p",
        { class: "help", id: help },
        "Whoever runs the service makes one: ",
        h("code", {}, "dsketch token OWNER --token-file FILE"),
        ". It is kept until this tab is closed.",
      ),
      h("div", { class: "row end" }, h("button", { class: "is-primary", value: "yes" }, "Go on")),
    ),
  );
  return answered(dialog, () => (dialog.returnValue === "yes" && input.value.trim()) || null);
}

/** Show a dialog; resolves to what `read()` gives when it was closed. */
export function answered(dialog, read) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      resolve(read());
      dialog.remove();
    }),
  );
}
