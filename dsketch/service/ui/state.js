// States as people see them: a word and a colour, and what may be done in each.

import { h, say } from "./dom.js";
import { stateWord } from "./words.js";

export const STATES = ["running", "planning", "queued", "interrupted", "solved", "not_solved", "failed", "cancelled"];
const RESTING = new Set(["solved", "not_solved", "failed", "cancelled"]);

export const isResting = (state) => RESTING.has(state);
export const isActive = (state) => state === "planning" || state === "running";
export const hasSolution = (state) => state === "solved" || state === "not_solved";
export const canResume = (state) => state === "failed" || state === "cancelled";

/** A state as a word with its colour: the element and `update(state, word)`; `word` is another one where the server has it. */
export function stateBadge(state, word = state) {
  const element = h("span");
  function update(now, called = now) {
    if (element.dataset.state === now && element.textContent === stateWord(called)) return;
    element.className = `state is-${now}`;
    element.dataset.state = now;
    say(element, stateWord(called));
  }
  update(state, word);
  return { element, update };
}
