// The strip on top of a job: the current pass in the words of the terminal's bar, or what all passes came to.

import { h, say } from "./dom.js";
import { isResting } from "./state.js";
import { bytes, columns, passes, seconds, title } from "./words.js";

/** Make the strip: its element and `update(run, job)`; its height never changes. */
export function progressStrip() {
  const names = ["title", "amount", "speed", "left", "job"];
  const texts = Object.fromEntries(names.map((name) => [name, h("span", { class: `strip-${name}` })]));
  const fill = h("i");
  const bar = h(
    "div",
    { class: "bar", role: "progressbar", "aria-label": "Current pass", "aria-valuemin": "0", "aria-valuemax": "100" },
    fill,
  );
  const element = h("div", { class: "strip" }, texts.title, bar, texts.amount, texts.speed, texts.left, texts.job);

  function update(run, job) {
    const live = isResting(job.state) ? null : (run.live ?? job.progress);
    const said = live ? { title: title(live), ...columns(live), job: ofJob(timeLeft(run, live)) } : summed(run, job);
    for (const name of names) say(texts[name], said[name] ?? "");
    const share = live?.total_bytes
      ? live.done_bytes / live.total_bytes
      : job.state === "solved" || job.state === "not_solved"
        ? 1
        : 0;
    fill.style.transform = `scaleX(${Math.min(share, 1)})`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    bar.setAttribute(
      "aria-valuetext",
      names
        .map((name) => said[name])
        .filter(Boolean)
        .join(", "),
    );
    element.classList.toggle("is-resting", isResting(job.state));
  }

  return { element, update };
}

const ofJob = (left) => (left === null ? "" : `job: about ${seconds(left)} left`);

/** The rest of this pass, and for each that is to come what those made took, else what this one takes: as the service counts it. */
export function timeLeft(run, live) {
  if (!live.number || !live.expected_passes || (live.seconds_left ?? null) === null) return null;
  const made = [...run.passes.values()].filter((pass) => !pass.replayed);
  const whole = live.gigabytes_per_second ? live.total_bytes / 1e9 / live.gigabytes_per_second : null;
  const each = made.length ? made.reduce((sum, pass) => sum + pass.seconds, 0) / made.length : whole;
  const ahead = Math.max(live.expected_passes - live.number, 0);
  return ahead && each === null ? null : live.seconds_left + ahead * (each ?? 0);
}

/** What the passes that were made came to; those from the journal read nothing. */
function summed(run, job) {
  const made = [...run.passes.values()].filter((pass) => !pass.replayed);
  const read = made.reduce((sum, pass) => sum + pass.read_bytes, 0);
  const time = made.reduce((sum, pass) => sum + pass.seconds, 0);
  if (!job.passes && !made.length)
    return { title: isResting(job.state) ? "no pass was recorded" : "no pass yet", amount: "", speed: "", left: "" };
  return {
    title: `${passes(job.passes)} recorded`,
    amount: `${bytes(read)} read`,
    speed: time ? `${bytes(read / time)}/s` : "",
    left: `passes took ${seconds(time)}`,
  };
}
