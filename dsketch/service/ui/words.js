// Bytes, seconds, counts and passes in the words of the command line (dsketch/units.py, dsketch/progress.py); a test compares them.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes with three digits and a decimal unit. */
export function bytes(count) {
  if (count < 1000) return `${count.toFixed(0)} B`;
  const power = Math.min(Math.floor(Math.log10(count) / 3 + 1e-12), 5);
  const value = count / 1000 ** power;
  return `${value >= 100 ? brief(value, 3) : value.toFixed(2)} ${UNITS[power]}`;
}

/** A duration: 0.03 s, 12.1 s, 1 min 15 s, 3 h 05 min, 4 d 07 h. */
export function seconds(value) {
  if (value === null || !Number.isFinite(value)) return "unknown";
  if (value < 60) return value < 10 ? `${brief(value, 2)} s` : `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  const two = (part) => String(Math.floor(part)).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${two((whole % 86400) / 3600)} h`;
}

/** An integer with thousands separators. */
export const number = (count) => count.toLocaleString("en-US");

/** "1 pass", "2 passes". */
export const passes = (count) => `${number(count)} ${count === 1 ? "pass" : "passes"}`;

/** A measured number with three digits: 9.02e-17. */
export function figure(value) {
  if (value === null || value === undefined) return "not measured";
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(2).split("e");
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** The same for every right-hand side, or the largest of many. */
export function figures(values, most = 4) {
  if (!Array.isArray(values)) return figure(values);
  const known = values.filter((value) => value !== null);
  if (!known.length) return "not measured";
  return values.length > most ? `${figure(Math.max(...known))} (largest of ${values.length})` : values.map(figure).join(" ");
}

/** A whole age in its largest unit: 3 min. */
export function age(value) {
  /** @type {[number, string][]} */
  const steps = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ];
  const [size, unit] = steps.find(([step]) => value >= step) ?? [1, "s"];
  return `${Math.floor(Math.max(value, 0) / size)} ${unit}`;
}

/** "pass 3 of 39  normal"; work that is no pass goes by the name of rows. */
export function title(pass) {
  return pass.number ? `pass ${number(pass.number)} of ${number(Math.max(pass.expected_passes ?? 0, pass.number))}  ${pass.kind}` : "rows";
}

/** The part of a pass that is read, from 0 to 1; null of what is no pass, or of a pass that nothing is known of. */
export const share = (pass) => (pass?.total_bytes ? Math.min(pass.done_bytes / pass.total_bytes, 1) : null);

/** What there is to say of a finished pass. */
export function finished(pass) {
  if (pass.replayed) return `${title(pass)}  from the journal, nothing read`;
  const speed = pass.seconds ? `  ${bytes(pass.read_bytes / pass.seconds)}/s` : "";
  return `${title(pass)}  ${bytes(pass.read_bytes)}${speed}  ${seconds(pass.seconds)}`;
}

/** "1.20 GB of 3.40 GB", "9.10 GB/s", "0.4 s left": the columns of the bar. */
export function columns(progress) {
  const rate = progress.gigabytes_per_second;
  return {
    amount: `${bytes(progress.done_bytes)} of ${bytes(progress.total_bytes)}`,
    speed: rate ? `${bytes(rate * 1e9)}/s` : "",
    left: rate && progress.seconds_left !== null ? `pass: ${seconds(progress.seconds_left)} left` : "",
  };
}

/** A state as people write it. */
export const stateWord = (state) => state.replace("_", " ");

/** What there is to say of a job's state, without the word of the state, which stands beside it. */
export function sentence(job) {
  const said = job.sentence.replace(`${stateWord(job.state)}: `, "");
  return job.ahead ? `${said}; ${turn(job.ahead)}` : said;
}

/** How many jobs go before one that waits. */
export const turn = (ahead) => (ahead === 1 ? "one job goes first" : `${number(ahead)} jobs go first`);

/** The place of the matrix that a run is about: A, or the first of several. */
export const dataOf = (spec) => spec.A ?? spec.A1 ?? "";

/** The end of a path, for a narrow place. */
export const lastOf = (path) => path.replace(/\/+$/, "").split("/").pop() ?? path;

/** Digits as %.{digits}g of C gives them, for values that need no exponent. */
function brief(value, digits) {
  if (value !== 0 && Math.abs(value) < 1e-4)
    return value
      .toExponential(digits - 1)
      .replace(/\.?0*e-(\d)$/, "e-0$1")
      .replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(digits)));
}
