// The form is checked while one types: its run is planned when nothing is typed for a moment.

import { Refusal, request } from "./api.js";

const PAUSE = 700; // milliseconds without a key before a plan is asked for
const AGAIN = 5000; // milliseconds until the next try, where the service has no place to plan

/**
 * @param {() => object|null} spec the document to plan; null while there is nothing to ask
 * @param {(plan: any, spec: object) => void} planned
 * @param {(error: Refusal) => void} refused
 */
export function checksOf(spec, planned, refused) {
  let timer = 0;
  let asking = new AbortController();

  /** Ask nothing more; a plan under way ends with it. */
  function stop() {
    clearTimeout(timer);
    asking.abort();
  }

  function soon(pause = PAUSE) {
    stop();
    timer = window.setTimeout(ask, pause);
  }

  async function ask() {
    const document = spec();
    if (!document) return;
    asking = new AbortController();
    const { signal } = asking;
    const body = JSON.stringify({ spec: document });
    try {
      const response = await request("v1/plans", { method: "POST", body, signal, headers: { "Content-Type": "application/json" } });
      const plan = await response.json();
      if (!signal.aborted) planned(plan, document);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      if ([0, 429, 503].includes(error.status)) soon(AGAIN);
      else refused(error);
    }
  }

  return { soon, stop };
}
