// What the process of a job printed: fetched when somebody opens it, and as long as it is open.

import { request } from "./api.js";
import { h, say, show } from "./dom.js";
import { notice } from "./notices.js";
import { isActive, isResting } from "./state.js";

const PAUSE = 3000; // milliseconds between two looks at a process that still works
const MOST = 400_000; // characters that are kept on the page: of a longer log the end

/** Make the place: its element and `update(job)`. */
export function outputView(id) {
  const text = h("pre", { class: "scroll output", tabindex: "0", "aria-label": "Output of the job's process" });
  const said = h("p", { class: "muted", hidden: true });
  const wrong = h("div");
  const element = h("details", { class: "pad" }, h("summary", {}, "Output of the process"), said, text, wrong);
  let job = null;
  let after = 0;
  let isBusy = false;
  let timer = 0;

  async function look() {
    clearTimeout(timer);
    if (isBusy || !element.open) return;
    isBusy = true;
    try {
      for (let before = -1; before !== after; ) {
        const response = await request(`v1/jobs/${id}/log?after=${after}`);
        before = after;
        after = Number(response.headers.get("dsketch-next"));
        const more = await response.text();
        if (more) text.append(more);
      }
      if (text.textContent.length > MOST) say(text, `[earlier lines: dsketch jobs log ${id}]\n${text.textContent.slice(-MOST)}`);
      wrong.replaceChildren();
    } catch (error) {
      wrong.replaceChildren(notice(error));
    }
    isBusy = false;
    say(said, `The job's process printed nothing${job && isResting(job.state) ? "" : " so far"}.`);
    show(said, !text.textContent && !wrong.childElementCount);
    show(text, Boolean(text.textContent));
    if (element.isConnected && job && isActive(job.state)) timer = setTimeout(look, PAUSE);
  }

  element.addEventListener("toggle", look);
  return {
    element,
    update(now) {
      job = now;
      look();
    },
  };
}
