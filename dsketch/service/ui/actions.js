// What may be done with a job: cancel, resume, fetch x, delete.

import { post, remove } from "./api.js";
import { download } from "./download.js";
import { h, say, show, speak } from "./dom.js";
import { confirmed, notice } from "./notices.js";
import { canResume, hasSolution, isResting } from "./state.js";

/** Make the buttons, for who only reads but that of the answer: their element, `update(job)` and `onChange(listener)`. */
export function actionBar(id, mayChange) {
  let job = null;
  /** @type {(job?: any) => any} */
  let changed = () => {};
  const said = h("div", { class: "actions-said" });
  const buttons = {
    cancel: button("Cancel", "cancelling…", async () => changed(await post(`v1/jobs/${id}/cancel`))),
    resume: button("Resume", "resuming…", async () => changed(await post(`v1/jobs/${id}/resume`))),
    fetch: button("Download x", "fetching…", () => download(id, "x")),
    remove: button("Delete", "deleting…", removed, "is-danger"),
  };

  function button(word, doing, act, kind = "") {
    const element = h("button", { type: "button", class: kind, hidden: true }, word);
    element.addEventListener("click", async () => {
      said.replaceChildren();
      const before = element.textContent;
      element.disabled = true;
      say(element, doing);
      await act().catch((error) => said.replaceChildren(notice(error)));
      element.disabled = false;
      say(element, before);
    });
    return element;
  }

  async function removed() {
    const loss = hasSolution(job.state)
      ? "Its answer, its certificate and its records are gone then; nothing brings them back. The data stay."
      : "Its recorded passes are gone then, and it cannot be resumed. The data stay.";
    if (!(await confirmed(`Delete ${job.name || job.id}?`, loss, "Delete"))) return;
    await remove(`v1/jobs/${id}`);
    speak("The job was deleted.");
    location.hash = "#/";
  }

  const again = h("a", { class: "button", href: `#/new?from=${id}` }, "Run it again with changes");

  /** What helps comes first: a failed run fails again as it is, a cancelled one goes on. */
  function update(now) {
    job = now;
    const isPrediction = now.spec.problem === "predict";
    if (isPrediction) [again.setAttribute("href", `#/jobs/${now.spec.job}`), say(again, "Predict other rows")];
    if (!buttons.fetch.disabled) say(buttons.fetch, isPrediction ? "Download predictions" : "Download x");
    show(again, mayChange && isResting(now.state));
    again.classList.toggle("is-primary", now.state === "failed");
    buttons.resume.classList.toggle("is-primary", now.state === "cancelled");
    show(buttons.cancel, mayChange && !isResting(now.state));
    show(buttons.resume, mayChange && canResume(now.state));
    show(buttons.fetch, hasSolution(now.state));
    show(buttons.remove, mayChange && isResting(now.state));
    const order = now.state === "failed" ? [again, ...Object.values(others), wipe] : [...Object.values(others), again, wipe];
    if (order.some((one, place) => row.children[place] !== one)) row.replaceChildren(...order);
  }

  const { remove: wipe, ...others } = buttons;
  const row = h("div", { class: "row end" });
  const element = h("div", { class: "actions" }, row, said);
  return { element, update, onChange: (listener) => (changed = listener) };
}
