// Follow the events of a job: connect, take up again after the last event that was seen, rest when the job rests.

import { events, get } from "./api.js";
import { isResting } from "./state.js";

const PAUSE = { first: 500, most: 8000 }; // milliseconds before another try, doubled each time

/**
 * Start to follow. A page that is not seen lets go of its connection: a browser has few of them for one service.
 * @param {string} id
 * @param {{last: number}} run whose `last` is the last kept event that was taken in
 * @param {AbortSignal} signal
 * @param {{heard: (event: any) => void, trouble: (error: any) => void}} to
 * @returns {{again: () => void}} `again` follows once more, after a job was resumed
 */
export function follow(id, run, signal, to) {
  let current = new AbortController();
  let isRunning = false;

  async function go() {
    if (isRunning || signal.aborted || document.hidden) return;
    isRunning = true;
    current = new AbortController();
    let pause = PAUSE.first;
    while (!current.signal.aborted) {
      try {
        for await (const event of events(id, run.last, current.signal)) {
          pause = PAUSE.first;
          to.trouble(null);
          to.heard(event);
        }
        if (isResting((await get(`v1/jobs/${id}`, current.signal)).state)) break;
      } catch (error) {
        if (current.signal.aborted) break;
        if (error.status === 404 || error.status === 401) {
          to.trouble(error);
          break;
        }
        to.trouble(error);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, PAUSE.most);
    }
    isRunning = false;
    if (current.signal.aborted) go(); // seen again while it let go
  }

  const seen = () => (document.hidden ? current.abort() : go());
  document.addEventListener("visibilitychange", seen);
  signal.addEventListener("abort", () => {
    document.removeEventListener("visibilitychange", seen);
    current.abort();
  });
  go();
  return { again: go };
}
