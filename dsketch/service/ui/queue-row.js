// A row of the list: what a job is, where it is within its passes, how long it will still take.

import { since } from "./api.js";
import { h, say, show } from "./dom.js";
import { isActive, stateBadge } from "./state.js";
import { tagChips } from "./tags.js";
import { age, dataOf, lastOf, number, seconds, sentence, share, title, turn } from "./words.js";

/**
 * Word, class and both orders of each column, and which one its head asks for first; the one without a word has the marks.
 * @type {[string, string, [string, string]?, number?][]}
 */
export const HEADS = [
  ["", "cell-mark"],
  ["state", "cell-state", ["state", "-state"]],
  ["job", "cell-job", ["name", "-name"]],
  ["problem", "cell-problem", ["problem", "-problem"]],
  ["owner", "cell-owner", ["owner", "-owner"]],
  ["passes", "cell-passes", ["passes", "-passes"], 1],
  ["work", "cell-work num", ["work", "-work"], 1],
  ["age", "cell-age num", ["newest", "oldest"]],
];

/** Make a row: its element and `update(job)`. */
export function jobRow(job, chosen) {
  const badge = stateBadge(job.state, job.word);
  const name = h("a", { class: "name", href: `#/jobs/${job.id}` }, job.name || job.id);
  const [said, what, count, left, work] = ["sentence", "sentence", "", "sentence", ""].map((kind) => h("span", { class: kind }));
  const tags = tagChips();
  const unit = h("span", { class: "small-only" }, " passes");
  const fill = h("i");
  const bar = h("span", { class: "bar" }, fill);
  const born = h("time", { datetime: job.created, title: new Date(job.created).toLocaleString() });
  const cells = [
    chosen.mark(job),
    badge.element,
    [h("span", { class: "name-line" }, name, tags.element), said],
    [h("span", {}, job.spec.problem), what],
    h("span", { class: "owner-name" }, job.owner),
    [h("span", { class: "made" }, bar, count, unit), left],
    work,
    born,
  ];
  const element = h(
    "tr",
    { data: { id: job.id } },
    HEADS.map(([, kind], index) => h("td", { class: kind }, cells[index])),
  );

  function update(now) {
    badge.update(now.state, now.word);
    const isLive = isActive(now.state);
    const words = newsOf(now);
    say(said, words);
    tags.update(now.tags);
    name.title = words; // the link lies over the whole row
    const method = now.method ?? (now.spec.method === "auto" ? null : now.spec.method);
    say(what, [lastOf(dataOf(now.spec)), method].filter(Boolean).join(" · "));
    const expected = now.expected_passes;
    show(bar, isLive);
    const width = `${isLive && expected ? (100 * done(now, expected)).toFixed(1) : 0}%`;
    if (fill.style.width !== width) fill.style.width = width;
    const most = Math.max(expected ?? 0, now.passes);
    say(count, isLive && expected ? `${number(now.passes)} of ${number(most)}` : now.passes ? number(now.passes) : isLive ? "" : "–");
    say(unit, (isLive && expected ? most : now.passes) === 1 ? " pass" : " passes");
    show(unit, now.passes > 0 || isLive);
    say(left, isLive && now.seconds_left !== null ? `about ${seconds(now.seconds_left)} left` : "");
    say(work, now.seconds ? seconds(now.seconds) : "–");
    say(born, age(since(now.created)));
  }

  return { element, update };
}

/** What is new of a job: of one that waits how many go first, of one that runs the pass that it is in. */
function newsOf(job) {
  if (job.ahead) return turn(job.ahead);
  const part = isActive(job.state) ? share(job.progress) : null;
  return part === null ? sentence(job) : `${title(job.progress).replace("  ", " ")} · ${Math.floor(100 * part)} %`;
}

/** The part of all passes that is behind a job, the current one with its part. */
function done(job, expected) {
  const made = job.progress?.number ? job.progress.number - 1 + (share(job.progress) ?? 0) : job.passes;
  return Math.min(Math.max(made, job.passes) / Math.max(expected, 1), 1);
}
