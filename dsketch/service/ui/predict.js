// New rows predicted by this job's answer: a job of its own.

import { newKey, post } from "./api.js";
import { fresh, h } from "./dom.js";
import { notice } from "./notices.js";

/** Make the card's content: its element, and whether the problem can predict. */
export function predictView(id, spec, about) {
  const wrong = h("div");
  const fields = [["A", "New rows", "Path of a Zarr matrix below the data roots, with the columns of A; by name, where both have names."]];
  if (spec.problem === "glm" && spec.offset) fields.push(["offset", "Offset", "Of the new rows; left out: 0."]);
  if (about()?.out_roots.length) fields.push(["out", "Write to", `Below ${about().out_roots.join(" or ")}, as Zarr; left out: they are kept with the job and fetched from there.`]);
  const inputs = fields.map(([name, label, help]) => inputOf(name, label, help));
  const button = h("button", { type: "submit" }, "Predict");
  const form = h("form", { class: "predict", "aria-label": "Predict new rows" }, inputs.map((one) => one.element), h("div", { class: "row" }, button), wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = Object.fromEntries(inputs.map((one) => [one.name, one.input.value.trim()]).filter(([, value]) => value));
    wrong.replaceChildren();
    for (const one of inputs) one.input.removeAttribute("aria-invalid");
    button.disabled = true;
    try {
      location.hash = `#/jobs/${(await post(`v1/jobs/${id}/predict`, asked, { "Idempotency-Key": newKey() })).id}`;
    } catch (error) {
      wrong.replaceChildren(notice(error));
      const named = inputs.find((one) => one.name === error.field) ?? inputs.find((one) => error.message.includes(`for ${one.name};`)) ?? inputs[0];
      named.input.setAttribute("aria-invalid", "true");
      named.input.focus();
    }
    button.disabled = false;
  });
  return { element: h("div", { class: "pad" }, form), isOffered: "A" in spec && spec.problem !== "predict" };
}

function inputOf(name, label, help) {
  const [own, about] = [fresh("predict"), fresh("help")];
  const input = h("input", { id: own, name: `predict-${name}`, type: "text", autocomplete: "off", spellcheck: "false", required: name === "A", "aria-describedby": about });
  const element = h("div", { class: "field" }, h("label", { for: own }, label), input, h("p", { class: "help", id: about }, help));
  return { name, input, element };
}

/** Of a job that predicts: what it made, in place of coefficients and certificate. */
export function predictionsView(job, solution) {
  const { shape, out } = solution.x;
  return [
    h("p", { class: "verdict is-good" }, solution.message),
    solution.notes.map((note) => h("p", { class: "notice" }, note)),
    h(
      "dl",
      { class: "facts" },
      [
        ["rows", shape.map((size) => size.toLocaleString("en-US")).join(" × ")],
        ["by", h("a", { href: `#/jobs/${job.spec.job}` }, "the answer of this job")],
        out && ["written to", out],
      ]
        .filter(Boolean)
        .map(([word, what]) => [h("dt", {}, word), h("dd", {}, what)]),
    ),
  ];
}

