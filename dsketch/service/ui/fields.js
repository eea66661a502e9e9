// The fields of a form for a problem, from what the service says of it; and the document of a run from what was typed.

/**
 * @typedef {{name: string, label: string, help: string, kind: "text"|"float"|"int"|"bool"|"choice"|"size"|"numbers", choices?: string[],
 *   initial: any, isNeeded?: boolean, isAdvanced?: boolean, hint?: string, roots?: string[]}} Field
 */

const HINTS = { tol: "1e-10" };
const KINDS = { data: "text", place: "text", str: "text" }; // what is not here is a kind of field itself
const ALWAYS_SEEN = ["method", "summary"];

/** Return the fields for a problem of the service. */
export function fieldsOf(problem, about) {
  const where = about.data_roots.length
    ? `Path under ${about.data_roots[0]}, or a full path or URL that the service may read.`
    : "Path that the service may read.";
  return [
    ...problem.inputs.map((option, place) => ({
      ...fieldOf(option, false, about),
      help: place ? `${option.help}.` : `${option.help}. ${where}`,
      isNeeded: true,
      hint: option.kind === "numbers" ? "1, 0.5, 2" : `demo/${option.name}.zarr`,
    })),
    ...problem.words.map((option) => fieldOf(option, option.name === "missing", about)),
    ...problem.options.map((option) => fieldOf(option, !ALWAYS_SEEN.includes(option.name), about)),
    ...about.job.filter((option) => option.name !== "out" || about.out_roots.length).map((option) => fieldOf(option, true, about)),
  ];
}

/** A field for an option as the service tells it; its help says what leaving it empty means. */
function fieldOf(option, isAdvanced, about) {
  const place = option.name === "out" && about.out_roots.length ? ` Here: under ${about.out_roots[0]}; Zarr, or NumPy if it ends in .npy.` : "";
  return {
    name: option.name,
    label: option.label,
    help: `${option.help}${place}`,
    initial: option.default,
    kind: option.choices ? "choice" : (KINDS[option.kind] ?? option.kind),
    choices: option.choices && option.default === null ? ["", ...option.choices] : (option.choices ?? undefined),
    hint: HINTS[option.name],
    roots: option.kind === "data" ? about.data_roots : undefined,
    isAdvanced,
  };
}

/** What is wrong with a typed value before anybody is asked; null if nothing is. */
export function complaint(field, typed) {
  if (field.isNeeded && !typed)
    return `${field.label} was expected; it is empty. Give ${field.kind === "numbers" ? "numbers with commas between" : "the place of a Zarr array"}.`;
  if (typed === "" || typeof typed !== "string") return null;
  if (field.kind === "int" && !/^[+-]?\d+$/.test(typed)) return `a whole number was expected; got ${typed}. Write digits only.`;
  if (field.kind === "float" && !Number.isFinite(Number(typed)))
    return `a number was expected; got ${typed}. Write it as 0.5 or 1e-8.`;
  if (field.kind === "numbers" && numbersOf(typed).some(Number.isNaN))
    return `numbers with commas between were expected; got ${typed}. Write them as 0.5, 1e-8.`;
  return null;
}

/** The document of a run: problem, data, and whatever differs from its default. */
export function documentOf(problem, fields, typed) {
  const found = { problem: problem.name };
  for (const field of fields) {
    const value = valueOf(field, typed.get(field.name) ?? "");
    if (value === field.initial || value === undefined) continue;
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
  if (field.kind === "numbers" && value !== undefined && (value !== null || field.initial !== null)) return textOf(value);
  const known = value ?? field.initial;
  return field.kind === "bool" ? Boolean(known) : known === null || known === undefined ? "" : String(known);
}

function valueOf(field, typed) {
  if (field.kind === "bool") return Boolean(typed);
  if (typed === "") return undefined;
  if (field.kind === "numbers") return numbersOf(typed).length > 1 ? numbersOf(typed) : numbersOf(typed)[0];
  return field.kind === "int" || field.kind === "float" ? Number(typed) : typed;
}

/** The numbers of a text with commas between: null for an infinity or "none", which is no bound; NaN for what is no number. */
const numbersOf = (typed) =>
  typed.split(",").map((word) => (/^\s*(none|[+-]?inf)\s*$/.test(word) ? null : word.trim() ? Number(word) : NaN));

/** The text of a number or a list, as numbersOf reads it. */
const textOf = (value) => (Array.isArray(value) ? value.map(textOf).join(",") : value === null ? "none" : String(value));

