// Two jobs side by side: coefficients that differ by more than their errors, what was asked otherwise, plans, passes, certificates.

import { get } from "./api.js";
import { fresh, h, say } from "./dom.js";
import { longTable } from "./rows.js";
import { stateBadge } from "./state.js";
import { bytes, figure, number, seconds, sentence } from "./words.js";

const UNITS = { read_bytes: bytes, memory_bytes: bytes, seconds, pass_seconds: seconds, work_seconds: seconds };
const CARDS = [
  ["options", "What was asked otherwise", "Both were asked the same."],
  ["plan", "Plans", "Neither has a plan."],
  ["run", "Passes and status", ""],
  ["certificate", "Certificates", "Neither has an answer."],
];
const VERDICTS = { differs: "differs", agrees: "within errors", unknown: "no errors known", one: "in one only" };
const HEADS = ["coefficient", "first", "second", "difference", "errors", "verdict"];
const WIDE = new Set(["difference", "verdict"]);

/** Fill the page; returns what ends it. */
export async function comparePage(root, { ids, query }) {
  const [one, other] = ids;
  const target = Math.max(Math.floor(Number(query.get("target")) || 0), 0);
  const found = await get(`v1/jobs/${one}/comparison?other=${other}&target=${target}`);
  document.title = "Two jobs compared · dsketch";
  root.append(
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "Jobs")),
    h("div", { class: "row head" }, h("h1", { tabindex: "-1" }, "Two jobs compared"), h("a", { class: "button", href: `#/compare/${other}/${one}?target=${target}` }, "Swap")),
    h("div", { class: "card sides" }, found.jobs.map((job, place) => sideOf(job, place))),
    h(
      "div",
      { class: "sheets-main" },
      card("Coefficients", "coefficients", coefficientsOf(found, ids, target)),
      CARDS.map(([name, title, none]) => card(title, name, factsOf(found, name, none))),
      found.notes.some((notes) => notes.length) && card("Notes", "notes", notesOf(found)),
    ),
  );
}

const nameOf = (job) => job.name || job.id;
const card = (title, name, ...content) => h("section", { class: "card", "aria-label": title, data: { part: name } }, h("h2", {}, title), content);

function sideOf(job, place) {
  return h(
    "div",
    { class: "side" },
    h("span", { class: "muted" }, place ? "second" : "first"),
    h("a", { href: `#/jobs/${job.id}` }, nameOf(job)),
    stateBadge(job.state, job.word).element,
    h("p", { class: "help" }, sentence(job)),
  );
}

// ---- facts -----------------------------------------------------------------------------------------------------------

function factsOf(found, name, none) {
  const facts = found[name];
  if (!facts.length) return h("p", { class: "muted pad" }, none);
  const isSame = ({ values: [one, other] }) => JSON.stringify(one) === JSON.stringify(other);
  return h(
    "table",
    { class: "pairs" },
    h("caption", { class: "unseen" }, CARDS.find(([one]) => one === name)?.[1] ?? name),
    h("thead", {}, h("tr", {}, ["", "first", "second"].map((word) => h("th", { scope: "col" }, word || h("span", { class: "unseen" }, "fact"))))),
    h(
      "tbody",
      {},
      facts.map((fact) =>
        h(
          "tr",
          { class: isSame(fact) ? "is-same" : "" },
          h("th", { scope: "row" }, fact.name.replaceAll("_", " ")),
          fact.values.map((value) => h("td", {}, told(fact.name, value))),
        ),
      ),
    ),
  );
}

/** A value in its unit; of what is not there a dash. */
function told(name, value) {
  if (value === null) return "–";
  if (UNITS[name]) return UNITS[name](value);
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) < 1e9 ? number(value) : figure(value);
  if (Array.isArray(value)) return value.map((one) => told(name, one)).join(", ");
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

const notesOf = (found) =>
  h(
    "div",
    { class: "pad" },
    found.notes.flatMap((notes, place) => notes.map((note) => h("p", { class: "notice" }, h("strong", {}, place ? "second: " : "first: "), note))),
  );

// ---- coefficients ----------------------------------------------------------------------------------------------------

function coefficientsOf(found, ids, target) {
  const known = found.coefficients;
  if (!known) return h("p", { class: "muted pad" }, `${found.no_coefficients}.`);
  const table = h(
    "table",
    { class: "coefficient-table pairs-table", "aria-label": "Coefficients of both jobs" },
    h("thead", {}, h("tr", {}, HEADS.map((word, place) => h("th", { scope: "col", class: place ? `num${WIDE.has(word) ? " wide-only" : ""}` : "" }, word)))),
  );
  const long = longTable(table, HEADS.length);
  const search = h("input", { type: "search", placeholder: "Search names", "aria-label": "Search names of coefficients" });
  const count = h("span", { class: "help" });
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const rows = known.rows.filter((row) => row.name.toLowerCase().includes(wanted));
    long.update(rows.length, (place) => rowOf(rows[place]));
    say(count, wanted ? `${number(rows.length)} of ${number(known.rows.length)}` : "");
  };
  search.addEventListener("input", draw);
  requestAnimationFrame(draw); // once it has a height
  return h(
    "div",
    { class: "pad coefficients" },
    h("p", { class: "verdict" }, summed(known)),
    h("div", { class: "row spread" }, h("span", { class: "row" }, search, count), targetOf()),
    long.element,
    h("p", { class: "help" }, meant(known)),
    known.doubt.length > 0 && h("p", { class: "notice" }, `They differ in ${known.doubt.join(", ")}: coefficients of one name may have other meanings.`),
  );

  function targetOf() {
    const own = fresh("target");
    const chooser = h("input", { id: own, type: "number", min: 0, step: 1, value: target });
    chooser.addEventListener("change", () => (location.hash = `#/compare/${ids.join("/")}?target=${Math.max(Math.floor(Number(chooser.value)), 0)}`));
    return known.targets > 1 && h("span", { class: "picker" }, h("label", { for: own }, "target"), chooser);
  }
}

function rowOf(row) {
  const kind = row.verdict === "differs" ? "is-different" : "";
  return h(
    "tr",
    { class: kind },
    h("td", { title: row.name }, row.name),
    row.values.map((value, place) => h("td", { class: "num" }, withError(value, row.errors[place]))),
    h("td", { class: "num wide-only" }, row.difference === null ? "–" : brief(row.difference)),
    h("td", { class: "num" }, row.ratio === null ? "–" : row.ratio < 1000 ? row.ratio.toFixed(1) : figure(row.ratio)),
    h("td", { class: "num wide-only verdict-cell" }, VERDICTS[row.verdict]),
  );
}

const brief = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 ? value.toExponential(3) : String(Number(value.toPrecision(5))));

/** A value and, where there is room, its error. */
function withError(value, error) {
  if (value === null) return "–";
  return [brief(value), error !== null && h("span", { class: "wide-only" }, ` ± ${Number(error.toPrecision(2))}`)];
}

/** How many differ, in a sentence. */
function summed({ counts, basis }) {
  const shared = counts.differs + counts.agrees + counts.unknown;
  const parts = [`${number(counts.differs)} of ${number(shared)} coefficients differ by more than their ${basis}`];
  if (counts.unknown) parts.push(`of ${number(counts.unknown)} no errors are known`);
  if (counts.one) parts.push(`${number(counts.one)} are in one of them only`);
  return `${parts.join("; ")}.`;
}

/** By what that is judged. */
function meant({ basis, reach, left_out }) {
  const more = left_out ? ` ${number(left_out)} more are not shown.` : "";
  return basis === "standard errors"
    ? `A difference counts from ${reach === null ? "–" : reach.toFixed(1)} combined standard errors on, so that of all these none would be called different in 95 of 100 pairs ` +
        `of estimates of the same, from independent rows.${more}`
    : "Not both have standard errors. A difference counts where it exceeds what rounding may have done to both, as proven to first order: " +
        `it says that the minimizers differ, not that chance could not have made it.${more}`;
}
