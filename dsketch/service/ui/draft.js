// What was typed into the form, kept in this browser until it is submitted or discarded: one draft for each service and owner.

const STEM = "dsketch.draft ";

/**
 * The draft of an owner.
 * @param {string} owner
 */
export function draftOf(owner) {
  const key = `${STEM}${location.pathname} ${owner}`;
  return {
    /** What is kept; null if nothing is, or it cannot be read. */
    read() {
      try {
        const found = JSON.parse(localStorage.getItem(key) ?? "null");
        const isDraft = found && typeof found.problem === "string" && typeof found.name === "string" && Array.isArray(found.typed);
        return isDraft ? { ...found, typed: found.typed.filter(isTyped) } : null;
      } catch {
        return null;
      }
    },
    /** Keep a problem, a name and what differs from the defaults: pairs of field and typed value. */
    write(problem, name, typed) {
      try {
        localStorage.setItem(key, JSON.stringify({ problem, name, typed }));
      } catch {
        // a browser that keeps nothing
      }
    },
    clear: () => localStorage.removeItem(key),
  };
}

/** Remove all drafts, as whoever forgets a token leaves nothing behind. */
export function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith(STEM)) localStorage.removeItem(key);
}

const isTyped = (pair) => Array.isArray(pair) && typeof pair[0] === "string" && ["string", "boolean"].includes(typeof pair[1]);
