// What is known of a run from its events: a value and one function, no page.

/**
 * @typedef {{number: number, kind: string, expected_passes: number, seconds: number, read_bytes: number, replayed: boolean,
 *   gigabytes_per_second: number|null}} Pass
 * @typedef {{backward_error: number|null, residual_norm: number|null}} Point
 * @typedef {{last: number, passes: Map<number, Pass>, points: Map<number, Point>, live: any, workers: any[], expected: number, plan: any,
 *   state: string|null, log: {at: string, kind: string, text: string}[]}} Run
 */

/** @returns {Run} */
export function newRun() {
  return { last: 0, passes: new Map(), points: new Map(), live: null, workers: [], expected: 0, plan: null, state: null, log: [] };
}

/** Take in an event; a pass that comes again (replayed after a resume) replaces what was known of it. */
export function take(run, event, words) {
  if (event.id) {
    if (event.id <= run.last) return;
    run.last = event.id;
  }
  TAKE[event.event]?.(run, event, words);
}

const TAKE = {
  state(run, event, words) {
    run.state = event.state;
    run.live = null;
    note(run, event, "state", `${words.stateWord(event.state)}: ${words.sentence(event)}`);
  },
  plan(run, event, words) {
    run.plan = event.plan;
    run.expected = event.plan.passes;
    note(run, event, "plan", `${event.plan.method}, ${words.passes(event.plan.passes)}: ${event.plan.why}`);
  },
  pass_started(run, event) {
    run.expected = event.expected_passes;
    run.live = { ...event, done_bytes: 0, gigabytes_per_second: null, seconds_left: null };
  },
  progress(run, event) {
    if (!run.passes.get(event.number) || run.live?.number === event.number) run.live = event;
  },
  pass_finished(run, event, words) {
    const pass = { ...event, expected_passes: run.expected };
    run.passes.set(event.number, pass);
    run.live = { ...pass, done_bytes: pass.read_bytes, total_bytes: pass.read_bytes, seconds_left: 0, is_done: true };
    note(run, event, "pass", words.finished(pass));
  },
  converged(run, event) {
    run.points.set(event.number ?? Math.max(0, ...run.passes.keys()), event);
  },
  workers(run, event) {
    run.workers = event.workers;
  },
  note(run, event) {
    note(run, event, "note", event.text);
  },
};

function note(run, event, kind, text) {
  run.log.push({ at: event.at, kind, text });
}
