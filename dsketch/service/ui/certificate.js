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
const SAID_ELSEWHERE = new Set(["rank", "rank_reason", "is_exact", "is_scaled", "matrix"]);

/** Show the certificate of a solution. */
export function certificateView(solution) {
  const certificate = solution.certificate;
  const known = Object.keys(MEANINGS).filter((name) => certificate[name] !== undefined && certificate[name] !== null);
  const others = Object.keys(certificate).filter((name) => !MEANINGS[name] && !SAID_ELSEWHERE.has(name));
  const relativeTo = certificate.matrix && certificate.matrix !== "A" ? `, relative to ${certificate.matrix}` : "";
  return [
    h("p", { class: `verdict ${solution.is_success ? "is-good" : "is-bad"}` }, solution.message),
    h("p", {}, inWords(certificate)),
    solution.notes.map((note) => h("p", { class: "notice" }, note)),
    h(
      "dl",
      { class: "figures" },
      known.map((name) =>
        entry(
          MEANINGS[name][0],
          figures(certificate[name]),
          `${MEANINGS[name][1]}${name === "backward_error" ? relativeTo : ""}`,
        ),
      ),
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
function inWords(certificate) {
  const [backward, forward] = [certificate.backward_error, certificate.forward_error].map(largest);
  const first = backward === null ? "" : `x is the exact answer for data changed by at most ${figure(backward)} of their size. `;
  if (forward === null) return first;
  if (forward >= 1) return `${first}The data do not determine its coefficients: some could be anything.`;
  const digits = Math.floor(-Math.log10(Math.max(forward, 1e-16)));
  const sure =
    digits < 1
      ? "No digit of its coefficients is certain"
      : `Its coefficients agree with the true ones to about ${digits} ${digits === 1 ? "digit" : "digits"}`;
  return `${first}${sure} (relative error at most ${figure(forward)}, to first order).`;
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
