// Several jobs at once: marks in the rows, and a bar of what may be done with those that are marked; two can be compared.

import { post, remove } from "./api.js";
import { h, say, show, speak } from "./dom.js";
import { confirmed, notice } from "./notices.js";
import { isResting } from "./state.js";
import { number } from "./words.js";

const jobs = (count) => `${number(count)} ${count === 1 ? "job" : "jobs"}`;

/** Make the bar: its element, `all` (the mark of the whole page), `mark(job)` for a row, `update(jobs)` of the page. */
export function selection(changed) {
  const marks = new Map();
  let shown = [];
  const all = h("input", { type: "checkbox", "aria-label": "Select all jobs of this page" });
  const text = h("strong");
  const said = h("div", { class: "selection-said" });
  const cancel = button("Cancel", act("Cancel", "cancelled", (job) => post(`v1/jobs/${job.id}/cancel`), (job) => !isResting(job.state)), "changes");
  const wipe = button("Delete", act("Delete", "deleted", (job) => remove(`v1/jobs/${job.id}`), (job) => isResting(job.state)), "is-danger changes");
  const compare = h("a", { class: "button" }, "Compare");
  const clear = button("Clear", () => mark(() => false), "quiet");
  const element = h(
    "div",
    { class: "selection", role: "region", "aria-label": "Selected jobs", hidden: true },
    h("div", { class: "row" }, text, compare, cancel, wipe, clear),
    said,
  );
  all.addEventListener("change", () => mark(() => all.checked));

  const marked = () => shown.filter((job) => marks.get(job.id)?.checked);

  function mark(isMarked) {
    for (const box of marks.values()) box.checked = isMarked();
    refresh();
  }

  function button(word, doing, kind = "") {
    const one = h("button", { type: "button", class: kind }, word);
    one.addEventListener("click", async () => {
      one.disabled = true;
      await doing();
      one.disabled = false;
    });
    return one;
  }

  /** Return what does something to each marked job that it may be done to, one after the other, and says how it went. */
  function act(verb, past, doing, isFit) {
    return async () => {
      const chosen = marked().filter(isFit);
      const loss =
        verb === "Delete"
          ? "Their answers, certificates and records are gone then; nothing brings them back. The data stay."
          : "They end now. Their recorded passes are kept, and resume goes on after them.";
      if (!(await confirmed(`${verb} ${jobs(chosen.length)}?`, loss, verb))) return;
      said.replaceChildren();
      let done = 0;
      for (const job of chosen) {
        const wrong = await doing(job).then(() => null, (error) => error);
        if (wrong) said.append(h("p", {}, h("strong", {}, job.name || job.id)), notice(wrong));
        else [(done += 1), (marks.get(job.id) ?? all).checked = false];
        say(text, `${jobs(done)} of ${number(chosen.length)} ${past}`);
      }
      speak(`${jobs(done)} ${past}`);
      changed();
    };
  }

  function refresh() {
    const chosen = marked();
    const [ends, rests] = [chosen.filter((job) => !isResting(job.state)).length, chosen.filter((job) => isResting(job.state)).length];
    show(element, chosen.length > 0 || said.childNodes.length > 0);
    show(compare, chosen.length === 2);
    if (chosen.length === 2) compare.setAttribute("href", `#/compare/${chosen.map((job) => job.id).join("/")}`);
    say(text, chosen.length ? `${jobs(chosen.length)} selected` : "");
    for (const [one, word, count] of [[cancel, "Cancel", ends], [wipe, "Delete", rests]]) {
      show(one, count > 0);
      if (!one.disabled) say(one, `${word} ${number(count)}`);
    }
    all.checked = chosen.length > 0 && chosen.length === shown.length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }

  return {
    element,
    all: h("label", { class: "mark" }, all),
    mark(job) {
      const box = h("input", { type: "checkbox", "aria-label": `Select ${job.name || job.id}` });
      box.addEventListener("change", () => [said.replaceChildren(), refresh()]);
      marks.set(job.id, box);
      return h("label", { class: "mark" }, box);
    },
    update(now) {
      shown = now;
      const ids = new Set(now.map((job) => job.id));
      for (const id of marks.keys()) if (!ids.has(id)) marks.delete(id);
      refresh();
    },
  };
}
