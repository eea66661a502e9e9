// The page that makes a run: a form from what the service offers, its plan, then the job.

import { Refusal, get, newKey, post } from "./api.js";
import { checksOf } from "./check.js";
import { copyable, h, say, show, speak } from "./dom.js";
import { draftOf } from "./draft.js";
import { complaint, documentOf, fieldsOf, typedOf } from "./fields.js";
import { inputOf } from "./input.js";
import { notice } from "./notices.js";
import { costOf, planView } from "./plan.js";
import { tagsOf } from "./tags.js";
import { uploadPart } from "./upload.js";

/** Fill the page. */
export async function formPage(root, { query, about }) {
  const service = about();
  const draft = draftOf(service.owner);
  const kept = [...query].length ? null : draft.read();
  const start = kept ? { ...kept, document: {} } : await startOf(query);
  const typed = new Map(kept?.typed ?? []); // by the field's name; kept when the problem changes
  let problem = service.problems.find((one) => one.name === start.problem) ?? service.problems[0];
  let fields = [];
  let inputs = new Map();
  let planned = ""; // the document whose plan is shown
  let key = newKey(); // the same until the run changes: a submission sent twice makes one job

  const name = inputOf(
    { name: "name", label: "Name", kind: "text", help: "For people; may stay empty.", initial: "" },
    start.name,
    (now) => [typed.set("name", now), keep()],
  );
  typed.set("name", start.name);
  const tags = inputOf(
    { name: "tags", label: "Tags", kind: "text", help: "To find jobs that belong together; with commas between.", initial: "" },
    String(typed.get("tags") ?? start.tags ?? ""),
    (now) => [typed.set("tags", now), keep()],
  );
  typed.set("tags", String(typed.get("tags") ?? start.tags ?? ""));
  const select = h(
    "select",
    { id: "problem", "aria-describedby": "problem-help" },
    service.problems.map((one) => h("option", { value: one.name, selected: one === problem }, one.name)),
  );
  const title = h("p", { class: "help", id: "problem-help" });
  const [plain, advanced] = [h("div", { class: "fields" }), h("div", { class: "fields" })];
  const more = h("details", { class: "advanced" }, h("summary", {}, "Advanced"), advanced);
  const said = h("div", { class: "form-said" });
  const cost = h("p", { class: "cost", role: "status" });
  const discard = h("button", { type: "button", class: "quiet", hidden: !kept }, "Discard draft");
  const plan = h("button", { type: "submit", class: "is-primary" }, "Show plan");
  const submit = h("button", { type: "button" }, "Submit");
  const answer = h(
    "div",
    { class: "pad" },
    h(
      "p",
      { class: "muted" },
      "The plan says what would be done, what it costs, and what was rejected, before anything runs. It is made as soon as the form is complete, and reads a few blocks.",
    ),
  );
  const document_ = h("div", { class: "pad" });
  const form = h(
    "form",
    { class: "card form", novalidate: true, "aria-label": "New job" },
    h("div", { class: "field" }, h("label", { for: "problem" }, "Problem"), select, title),
    service.role === "reader" ? "" : uploadPart(service.uploads, uploaded, () => submit.click()),
    plain,
    more,
    name.element,
    tags.element,
    said,
    cost,
    h("div", { class: "row" }, plan, submit, discard),
  );
  root.append(
    h("div", { class: "row head" }, h("h1", { tabindex: "-1" }, "New job")),
    service.data_roots.length
      ? ""
      : h(
          "div",
          { class: "notice" },
          h("p", {}, "This service was started without a place to read from: jobs can read uploads alone. To let them read more:"),
          copyable("dsketch serve --data-root DIR", "the command"),
        ),
    h(
      "div",
      { class: "sheets is-form" },
      form,
      h("div", { class: "sheets-side" }, side("Plan", answer, "plan"), side("Document of the run", document_, "document")),
    ),
  );

  /** Take matrix and target of an upload. */
  function uploaded(data) {
    for (const [field, place] of Object.entries(data)) typed.set(field, place);
    laid();
    keep();
  }

  /** Keep what was typed, as far as it differs from the defaults. */
  function keep() {
    const own = [...typed].filter(([word, now]) => {
      const field = fields.find((one) => one.name === word);
      return word !== "name" && (word !== "tags" || now) && (!field || now !== typedOf(field, {}));
    });
    draft.write(problem.name, String(typed.get("name")), own);
    show(discard, true);
  }

  function laid() {
    for (const field of fields) if (typed.get(field.name) === typedOf(field, {})) typed.delete(field.name); // the last problem's default
    fields = fieldsOf(problem, service);
    title.textContent = problem.title;
    for (const field of fields) if (!typed.has(field.name)) typed.set(field.name, typedOf(field, start.document));
    for (const field of fields)
      if (field.kind === "choice" && !field.choices.includes(typed.get(field.name))) typed.set(field.name, typedOf(field, {}));
    inputs = new Map(
      fields.map((field) => [
        field.name,
        inputOf(field, typed.get(field.name), (now) => [typed.set(field.name, now), changed(), keep()]),
      ]),
    );
    for (const [box, isAdvanced] of [
      [plain, false],
      [advanced, true],
    ])
      box.replaceChildren(
        ...fields.filter((field) => Boolean(field.isAdvanced) === isAdvanced).map((field) => inputs.get(field.name).element),
      );
    more.open ||= fields.some((field) => field.isAdvanced && typed.get(field.name) !== typedOf(field, {}));
    changed();
  }

  /** Show whether the plan is that of the form as it is. */
  function mark() {
    const isPlanned = planned === JSON.stringify(documentOf(problem, fields, typed), null, 1);
    answer.classList.toggle("is-stale", planned !== "" && !isPlanned);
    plan.classList.toggle("is-primary", !isPlanned);
    submit.classList.toggle("is-primary", isPlanned);
  }

  function changed() {
    const text = JSON.stringify(documentOf(problem, fields, typed), null, 1);
    document_.replaceChildren(
      copyable(text, "the document"),
      h("p", { class: "help" }, "The same for Python, the command line and HTTP (POST /v1/jobs)."),
    );
    mark();
    key = newKey();
    say(cost, "");
    checks.soon();
  }

  /** The document to plan while one types; null before it is complete. Only what was typed is called wrong. */
  function ready() {
    if (service.role === "reader") return null;
    let isReady = true;
    for (const field of fields) {
      const found = complaint(field, typed.get(field.name));
      isReady &&= !found;
      inputs.get(field.name).complain(found && typed.get(field.name) ? [found] : null);
    }
    return isReady ? documentOf(problem, fields, typed) : null;
  }

  function planShown(found, spec) {
    said.replaceChildren();
    planned = JSON.stringify(spec, null, 1);
    answer.replaceChildren(...planView(found).flat().filter(Boolean));
    mark();
    say(cost, costOf(found));
  }

  const checks = checksOf(ready, planShown, (error) => refused(error, false));

  /** Return the document, or null after showing what is wrong where it is. */
  function checked() {
    said.replaceChildren();
    const wrong = fields.map((field) => [field, complaint(field, typed.get(field.name))]).filter(([, found]) => found);
    for (const field of fields)
      inputs
        .get(field.name)
        .complain(
          wrong.filter(([one]) => one === field).map(([, found]) => found)[0] ? [wrong.find(([one]) => one === field)[1]] : null,
        );
    if (wrong.length) reveal(wrong[0][0]);
    return wrong.length ? null : documentOf(problem, fields, typed);
  }

  function reveal(field) {
    if (field.isAdvanced) more.open = true;
    inputs.get(field.name).focus();
  }

  /** Show a refusal at the field it is about, or above the buttons; the focus goes there if somebody asked. */
  function refused(error, isAsked = true) {
    const field = error instanceof Refusal ? fields.find((one) => one.name === error.field) : null;
    if (!field) {
      said.replaceChildren(notice(error));
      return;
    }
    inputs.get(field.name).complain([error.finding, error.advice]);
    if (isAsked) reveal(field);
    speak(error.message);
  }

  async function busy(button, word, act) {
    const spec = checked();
    checks.stop();
    if (!spec) return;
    const before = button.textContent;
    plan.disabled = submit.disabled = true;
    button.textContent = word;
    await act(spec).catch(refused);
    plan.disabled = submit.disabled = false;
    button.textContent = before;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(plan, "planning…", async (spec) => {
      planShown(await post("v1/plans", { spec }), spec);
    });
  });
  submit.addEventListener("click", () =>
    busy(submit, "submitting…", async (spec) => {
      const job = await post("v1/jobs", { spec, name: typed.get("name"), tags: tagsOf(String(typed.get("tags"))) }, { "Idempotency-Key": key });
      draft.clear();
      location.hash = `#/jobs/${job.id}`;
    }),
  );
  select.addEventListener("change", () => {
    problem = service.problems.find((one) => one.name === select.value);
    laid();
    keep();
  });
  discard.addEventListener("click", () => {
    draft.clear();
    dispatchEvent(new HashChangeEvent("hashchange")); // the form as its address makes it
  });
  laid();
  return checks.stop;
}

/** What the form begins with: words of the address, or the run of another job. */
async function startOf(query) {
  const words = Object.fromEntries([...query].filter(([name]) => name !== "from" && name !== "name"));
  if (!query.get("from")) return { problem: words.problem, name: query.get("name") ?? "", document: words };
  const job = await get(`v1/jobs/${encodeURIComponent(query.get("from"))}`);
  return { problem: job.spec.problem, name: job.name, tags: job.tags.join(", "), document: job.spec };
}

const side = (title, content, part) =>
  h("section", { class: "card", "aria-label": title, data: { part } }, h("h2", {}, title), content);
