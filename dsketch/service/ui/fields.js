// The fields of a form for a problem, from what the service says of it; and the document of a run from what was typed.

/**
 * @typedef {{name: string, label: string, help: string, kind: "text"|"float"|"int"|"bool"|"choice"|"size", choices?: string[],
 *   initial: any, isNeeded?: boolean, isAdvanced?: boolean, hint?: string}} Field
 */

const METHOD_HELP = "auto looks at a few blocks and takes the cheapest that can reach the tolerance.";
const SETTINGS = {
  tol: {
    kind: "float",
    help: "Relative backward error to reach, between 0 and 1. Empty: as accurate as Householder QR.",
    initial: null,
    hint: "1e-10",
  },
  sketch: {
    kind: "choice",
    help: "Family of random matrices; sparse_sign is right unless you compare families.",
    initial: "sparse_sign",
  },
  sketch_rows: {
    kind: "int",
    help: "Rows of the sketch, at least the columns of A. Empty: the rule of the family.",
    initial: null,
  },
  seed: { kind: "int", help: "Of all random words; the same seed gives the same bits.", initial: 0 },
  features: { kind: "choice", help: "Family of features that preconditions or replaces the kernel.", initial: "auto" },
  rank: { kind: "int", help: "How many features. Empty: the rule of the family.", initial: null },
};

/** Return the fields for a problem of the service. */
export function fieldsOf(problem, about) {
  const where = about.data_roots.length
    ? `Path under ${about.data_roots[0]}, or a full path or URL that the service may read.`
    : "Path that the service may read.";
  const choices = { sketch: problem.sketches, features: ["auto", ...problem.families] };
  const settings = problem.settings.filter(
    (name) => SETTINGS[name] && (problem.families.length || !["features", "rank"].includes(name)),
  );
  return [
    {
      name: "A",
      label: "A",
      kind: "text",
      help: `Zarr matrix, n × d. ${where}`,
      initial: null,
      isNeeded: true,
      hint: "demo/A.zarr",
    },
    {
      name: "b",
      label: "b",
      kind: "text",
      help: `Zarr right-hand sides: ${problem.sides}.`,
      initial: null,
      isNeeded: true,
      hint: "demo/b.zarr",
    },
    ...problem.words.map(wordField),
    { name: "method", label: "method", kind: "choice", help: METHOD_HELP, choices: problem.methods, initial: "auto" },
    ...settings.map((name) => ({ name, label: name, isAdvanced: true, choices: choices[name], ...SETTINGS[name] })),
    {
      name: "memory_limit",
      label: "memory_limit",
      kind: "size",
      help: "Memory of a worker that the plan may count on, such as 2GiB. Empty: what it has.",
      initial: null,
      isAdvanced: true,
    },
    {
      name: "priority",
      label: "priority",
      kind: "int",
      help: "Place in your own line, -100 to 100; larger goes first.",
      initial: 0,
      isAdvanced: true,
    },
    {
      name: "limits.seconds",
      label: "limits.seconds",
      kind: "float",
      help: "Longest time of work. Empty: the service's limit.",
      initial: null,
      isAdvanced: true,
    },
    {
      name: "limits.memory",
      label: "limits.memory",
      kind: "size",
      help: "Memory of the job's own process, such as 4GiB. Empty: the service's limit.",
      initial: null,
      isAdvanced: true,
    },
    ...(about.out_roots.length ? [outField(about)] : []),
  ];
}

function wordField(word) {
  const kinds = { data: "text", float: "float", int: "int", bool: "bool", str: "text" };
  const isMissing = word.name === "missing";
  return {
    name: word.name,
    label: word.name,
    help: word.help,
    initial: word.default,
    kind: isMissing ? "choice" : kinds[word.kind],
    choices: isMissing ? ["error", "fill"] : undefined,
    isAdvanced: isMissing,
  };
}

function outField(about) {
  return {
    name: "out",
    label: "out",
    kind: "text",
    help: `Also write x here, under ${about.out_roots[0]}; Zarr, or NumPy if it ends in .npy.`,
    initial: null,
    isAdvanced: true,
  };
}

/** What is wrong with a typed value before anybody is asked; null if nothing is. */
export function complaint(field, typed) {
  if (field.isNeeded && !typed) return `${field.label} was expected; it is empty. Give the place of a Zarr array.`;
  if (typed === "" || typeof typed !== "string") return null;
  if (field.kind === "int" && !/^[+-]?\d+$/.test(typed)) return `a whole number was expected; got ${typed}. Write digits only.`;
  if (field.kind === "float" && !Number.isFinite(Number(typed)))
    return `a number was expected; got ${typed}. Write it as 0.5 or 1e-8.`;
  return null;
}

/** The document of a run: problem, data, and whatever differs from its default. */
export function documentOf(problem, fields, typed) {
  const found = { problem: problem.name };
  for (const field of fields) {
    const value = valueOf(field, typed.get(field.name) ?? "");
    if (value === field.initial || value === null) continue;
    const [outer, inner] = field.name.split(".");
    if (inner) found[outer] = { ...found[outer], [inner]: value };
    else found[outer] = value;
  }
  return found;
}

/** What a form shows for the value that a document has. */
export function typedOf(field, document) {
  const [outer, inner] = field.name.split(".");
  const value = inner ? document[outer]?.[inner] : document[outer];
  const known = value ?? field.initial;
  return field.kind === "bool" ? Boolean(known) : known === null || known === undefined ? "" : String(known);
}

function valueOf(field, typed) {
  if (field.kind === "bool") return Boolean(typed);
  if (typed === "") return null;
  return field.kind === "int" || field.kind === "float" ? Number(typed) : typed;
}

/** The field that a message of the service is about, by its first words: "alpha must be …", "spec.ridge.tol is not …". */
export function fieldNamed(fields, message) {
  const first = message.split(/[\s:;,]/)[0].replace(/^spec\.([\w-]+\.)?/, "");
  return fields.find((field) => field.name === first || field.name === first.split(".")[0]) ?? null;
}
