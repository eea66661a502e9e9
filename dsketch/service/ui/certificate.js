// The certificate of an answer: a verdict in words, then each number with what it means.

import { copyable, h } from "./dom.js";
import { bytes, figure, figures } from "./words.js";

const MEANINGS = {
  backward_error: ["backward error", "relative change of the data that makes x exact"],
  forward_error: ["forward error ≤", "first-order bound on ‖x − x*‖/‖x‖"],
  residual_norm: ["residual norm", "of what the problem minimizes"],
  relative_residual: ["relative residual", "‖r‖/‖b‖"],
  gradient_norm: ["gradient", "‖Aᵀr‖/(‖A‖‖r‖): 0 at the minimizer"],
  condition: ["condition", "largest over smallest singular value"],
  scaled_condition: ["condition, scaled", "with columns of norm one: what rounding feels"],
  preconditioned: ["preconditioned", "condition number that the preconditioner left"],
  distance: ["distance", "of the features' kernel from the exact one, relative to it"],
};
// What the two errors are about where they are not those of a linear system, by a field that such certificates alone have.
const WHOLE = "As a whole its coefficients agree with the true ones"; // the bound is one on a norm of all
const FEW = "; those that are small beside the others may have fewer digits";
const LINEAR = "x is the exact answer for data changed by at most";
const TANGENT = "x is the exact answer of the tangent problem there, its data changed by at most";
const OTHERS = {
  expected_total: {
    backward: "of the scores' sum, relative to the rank",
    forward: "of any score, relatively",
    exact: "",
    what: "All scores are right",
    few: "",
  },
  excess: { backward: "change of b that makes x exact, relative to its least residual", exact: "" },
  is_convex: {
    backward: "relative change of the tangent problem that makes x exact",
    forward: "in the metric of the Hessian",
    exact: TANGENT,
  },
  least_eigenvalue: {
    backward: "relative change of the tangent problem, or of b, that makes x exact",
    forward: "first-order bound on the distance to the stationary point nearby",
    exact: TANGENT,
    what: "As a whole its coefficients agree with those of the stationary point nearby",
  },
};
const SAID_ELSEWHERE = new Set(["rank", "rank_reason", "is_exact", "is_bound", "is_scaled", "matrix"]);

/** Show the certificate of a solution. */
export function certificateView(solution) {
  const certificate = solution.certificate;
  const known = Object.keys(MEANINGS).filter((name) => certificate[name] !== undefined && certificate[name] !== null);
  const relativeTo = certificate.matrix && certificate.matrix !== "A" ? `, relative to ${certificate.matrix}` : "";
  const about = OTHERS[Object.keys(OTHERS).find((name) => name in certificate)] ?? {};
  const meaningOf = {
    backward_error: about.backward ?? `${MEANINGS.backward_error[1]}${relativeTo}`,
    forward_error: about.forward ?? `${MEANINGS.forward_error[1]}${"gradient_norm" in certificate || "targets" in certificate ? ", with columns of norm one" : ""}`,
  };
  const others = Object.keys(certificate).filter(
    (name) => !MEANINGS[name] && !SAID_ELSEWHERE.has(name) && certificate[name] !== null,
  );
  return [
    h("p", { class: `verdict ${solution.is_success ? "is-good" : "is-bad"}` }, solution.message),
    h("p", {}, inWords(certificate, about)),
    solution.notes.map((note) => h("p", { class: "notice" }, note)),
    h(
      "dl",
      { class: "figures" },
      known.map((name) => entry(MEANINGS[name][0], figures(certificate[name]), meaningOf[name] ?? MEANINGS[name][1])),
      others.map((name) => entry(name.replaceAll("_", " "), value(certificate[name]), "")),
      entry("rank", value(certificate.rank), certificate.rank_reason),
      entry(
        "x",
        solution.x.shape.join(" × "),
        `${solution.x.dtype}, ${bytes(solution.x.bytes)}${solution.x.out ? `, also in ${solution.x.out}` : ""}`,
      ),
    ),
    h(
      "details",
      {},
      h("summary", {}, "As text, and the digest of x"),
      h("pre", {}, solution.text),
      copyable(solution.x.sha256, "the SHA-256 of x"),
    ),
  ];
}

/** Say what the two errors mean for whoever uses x. */
function inWords(certificate, { exact = LINEAR, what = WHOLE, few = certificate.last_places ? "" : FEW }) {
  const [backward, forward] = [certificate.backward_error, certificate.forward_error].map(largest);
  const first = backward === null || !exact ? "" : `${exact} ${figure(backward)} of their size. `;
  if (forward === null) return first;
  if (forward >= 1 && exact) return `${first}The data do not determine its coefficients: some could be anything.`;
  const digits = Math.floor(-Math.log10(Math.max(forward, 1e-16)));
  const sure =
    digits < 1
      ? `No digit of ${"expected_total" in certificate ? "the scores" : "its coefficients"} is certain`
      : `${what} to about ${digits} ${digits === 1 ? "digit" : "digits"}`;
  return `${first}${sure} (relative error at most ${figure(forward)}, to first order)${digits < 1 ? "" : few}.`;
}

function largest(values) {
  const known = (Array.isArray(values) ? values : [values]).filter((item) => typeof item === "number");
  return known.length ? Math.max(...known) : null;
}

const entry = (name, figureText, meaning) =>
  h("div", {}, h("dt", {}, name), h("dd", { class: "figure" }, figureText), h("dd", { class: "help" }, meaning));

function value(item) {
  if (typeof item === "number") return Number.isInteger(item) && Math.abs(item) < 1e9 ? String(item) : figure(item);
  return Array.isArray(item) ? figures(item) : String(item);
}
