// A notice when nothing more is heard of a job that runs.

import { h, say, show } from "./dom.js";
import { seconds } from "./words.js";
import { QUIET, stalled } from "./workers.js";

/** Make the notice: its element, `heard(job)` of the service, `update(run)` of events, `tick(job)` of the clock. */
export function stallNotice() {
  const text = h("p");
  const element = h(
    "div",
    { class: "notice stall", role: "status", hidden: true },
    text,
    h(
      "p",
      { class: "help" },
      "Workers may be stopped or wait for their storage, or a step between two passes takes long. The job goes on by itself when they do.",
    ),
  );
  let last = performance.now();
  let seen = "";
  let names = ""; // of workers that stall, in a sentence

  return {
    element,
    heard(job) {
      if (job.quiet_seconds !== null) last = performance.now() - 1000 * job.quiet_seconds;
    },
    update(run) {
      const now = `${run.live?.number} ${run.live?.done_bytes} ${run.last}`;
      names = stalled(run.workers);
      if (now !== seen) [seen, last] = [now, seen ? performance.now() : last];
    },
    tick(job) {
      const quiet = (performance.now() - last) / 1000;
      const isQuiet = job.state === "running" && quiet >= QUIET;
      show(element, isQuiet || (job.state === "running" && Boolean(names)));
      say(text, [isQuiet && `No byte was read for ${seconds(Math.floor(quiet))}.`, names].filter(Boolean).join(" "));
    },
  };
}
