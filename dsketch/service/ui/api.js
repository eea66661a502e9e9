// The service over HTTP: requests with the token, errors in their one shape, events as they come.

const TOKEN = "dsketch.token";
let skew = 0; // milliseconds that the service's clock is ahead of ours

/** What the service refused, or that it did not answer. */
export class Refusal extends Error {
  /** @param {number} status 0: no answer @param {{message?: string, field?: string|null, found?: string|null, try?: string|null}} said */
  constructor(status, said) {
    super(said.message ?? `an answer in JSON was expected; got status ${status}. See the log of the service.`);
    this.status = status;
    this.advice = said.try ?? null;
    this.field = said.field ?? null; // the option that it is about
  }

  /** Expected and found, without what to do. */
  get finding() {
    return this.advice && this.message.endsWith(this.advice) ? this.message.slice(0, -this.advice.length).trim() : this.message;
  }
}

const SILENT = {
  message:
    "an answer of the service was expected; none came. Look whether dsketch serve still runs; this page tries again by itself.",
  try: "Look whether dsketch serve still runs; this page tries again by itself.",
};

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

/** Seconds since a moment of the service. */
export const since = (stamp) => (Date.now() + skew - Date.parse(stamp)) / 1000;

/**
 * Send a request and return the response, if it is a good one.
 * @param {string} path below the page's own address
 * @param {RequestInit} [options]
 */
export async function request(path, options = {}) {
  const known = token.get();
  const headers = { ...(known ? { Authorization: `Bearer ${known}` } : {}), ...options.headers };
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, SILENT);
  });
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isFinite(date) && Math.abs(date - Date.now() - skew) > 2000) skew = date - Date.now(); // headers have whole seconds
  if (response.ok) return response;
  throw new Refusal(response.status, await response.json().catch(() => ({})));
}

/** Fetch JSON. */
export async function get(path, signal) {
  return (await request(path, { signal })).json();
}

/** Send JSON and return what comes back. */
export async function post(path, body, headers = {}, method = "POST") {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } };
  return (await request(path, { method, ...sent })).json();
}

export const patch = (path, body) => post(path, body, {}, "PATCH");

export const remove = (path) => request(path, { method: "DELETE" });

/**
 * Yield the events of a job until the stream ends; it is the caller who asks again.
 * @param {string} id
 * @param {number} after the last kept event that was seen
 * @param {AbortSignal} signal
 */
export async function* events(id, after, signal) {
  const response = await request(`v1/jobs/${id}/events`, { signal, headers: after ? { "Last-Event-ID": String(after) } : {} });
  if (response.status === 204 || !response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = /** @type {string} */ (blocks.pop());
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

/** A key that no other request has; without crypto.randomUUID, which plain http to another machine lacks. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
