// The page of one job: what it does now, how it converged, its plan, its certificate, its passes, its log.

import { Refusal, get, since } from "./api.js";
import { actionBar } from "./actions.js";
import { certificateView } from "./certificate.js";
import { coefficientsView } from "./coefficients.js";
import { h, say, show, speak } from "./dom.js";
import { follow } from "./follow.js";
import { ledgerTable } from "./ledger.js";
import { logView } from "./log.js";
import { notice } from "./notices.js";
import { predictView, predictionsView } from "./predict.js";
import { outputView } from "./output.js";
import { planView } from "./plan.js";
import { convergencePlot } from "./plot.js";
import { newRun, take } from "./run.js";
import { stallNotice } from "./stall.js";
import { hasSolution, isActive, isResting, stateBadge } from "./state.js";
import { residualsView } from "./residuals.js";
import { progressStrip } from "./strip.js";
import { tagEditor } from "./tags.js";
import * as words from "./words.js";
import { workersView } from "./workers.js";

const PLAN_TO_COME =
  "A few blocks of the data are read first; then it stands here what will be done, what it costs, and why not otherwise.";

/** Fill the page; returns what ends it. */
export async function jobPage(root, { id, about, trouble }) {
  const job = await get(`v1/jobs/${id}`);
  const run = newRun();
  const parts = laidOut(root, job, run, about);
  const ending = new AbortController();
  let frame = 0;
  let opened = 0;

  /** A page that opens draws a part a frame, so that none keeps somebody waiting who scrolls or types; then all at once. */
  function draw() {
    frame = 0;
    if (opened === parts.updates.length) return parts.updates.forEach((update) => update());
    parts.updates[opened]();
    opened += 1;
    changed();
  }

  /** Draw at most once a frame, and once more when a hidden page is seen again. */
  function changed() {
    frame ||= requestAnimationFrame(draw);
  }

  async function renew() {
    await parts.renew(await get(`v1/jobs/${id}`, ending.signal));
    changed();
  }

  const stream = follow(id, run, ending.signal, {
    heard: (event) => {
      take(run, event, words);
      changed();
      if (event.event === "state") renew().catch(trouble);
    },
    trouble,
  });
  parts.actions.onChange(async (now) => {
    await parts.renew(now);
    changed();
    stream.again();
  });
  const clock = setInterval(() => parts.tick(), 1000);
  await parts.renew(job);
  changed();
  return () => {
    ending.abort();
    clearInterval(clock);
    cancelAnimationFrame(frame);
    parts.plot.dispose();
  };
}

// ---- what is where -------------------------------------------------------------------------------------------------

function laidOut(root, job, run, about) {
  const badge = stateBadge(job.state, job.word);
  const sentence = h("p", { class: "state-sentence" });
  const mayChange = about().role !== "reader";
  const actions = actionBar(job.id, mayChange);
  const strip = progressStrip();
  const plot = convergencePlot();
  const ledger = ledgerTable();
  const log = logView();
  const output = outputView(job.id);
  const stall = stallNotice();
  const workers = workersView();
  const workersCard = card("Workers", workers.element, "workers");
  workersCard.hidden = true;
  const answer = answerCard(job.id);
  const residuals = residualsCard(job, mayChange);
  const predictions = predictCard(job, about, mayChange);
  const isPrediction = job.spec.problem === "predict";
  const convergence = card("Convergence", plot.element, "convergence");
  const [certificate, plan, document_] = [h("div", { class: "pad" }), h("div", { class: "pad" }), h("div", { class: "pad" })];
  const born = h("time", { datetime: job.created, title: new Date(job.created).toLocaleString() });
  const work = h("span");
  const tags = tagEditor(job.id, mayChange);
  const title = job.name || job.id;
  root.append(
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "Jobs")),
    h("div", { class: "row head" }, h("h1", { tabindex: "-1" }, title), badge.element, actions.element),
    sentence,
    h(
      "p",
      { class: "meta" },
      parted([
        h("code", {}, job.id),
        job.spec.problem,
        h("span", { title: words.dataOf(job.spec) }, words.lastOf(words.dataOf(job.spec))),
        job.owner,
        h("span", {}, "accepted ", born, " ago"),
        work,
      ]),
    ),
    tags.element,
    strip.element,
    stall.element,
    h(
      "div",
      { class: "sheets" },
      h(
        "div",
        { class: "sheets-main" },
        answer.element,
        residuals.element,
        predictions.element,
        convergence,
        card("Passes", ledger.element, "passes"),
        card("Log", [log.element, output.element], "log"),
        card("Document of the run", document_, "document"),
      ),
      h("div", { class: "sheets-side" }, card(isPrediction ? "Predictions" : "Certificate", certificate, "certificate"), card("Plan", plan, "plan"), workersCard),
    ),
  );
  document_.append(
    h("pre", { class: "scroll", tabindex: "0", "aria-label": "Document of the run" }, JSON.stringify(asked(job.spec, about()), null, 1)),
  );
  let now = job;
  let seen = performance.now(); // when the service said so
  let shownPlan = "";
  const noPlan = h("p", { class: "muted" });
  plan.append(noPlan);

  function tick() {
    say(born, words.age(since(now.created)));
    const spent = now.seconds + (isActive(now.state) ? (performance.now() - seen) / 1000 : 0);
    say(work, spent ? `${words.seconds(spent)} of work, planning and passes` : "");
    stall.tick(now);
  }

  function updateNow() {
    strip.update(run, now);
    stall.update(run);
    show(workersCard, isActive(now.state) && run.workers.length > 0);
    if (!workersCard.hidden) workers.update(run.workers);
  }

  function updatePlan() {
    const rests = isResting(now.state);
    const found = now.plan ?? run.plan;
    const used = hasSolution(now.state) ? now.method : null;
    if (found && shownPlan !== `${used} ${found.text}`)
      [(shownPlan = `${used} ${found.text}`), plan.replaceChildren(...planView(found, used).flat().filter(Boolean))];
    if (!found) say(noPlan, rests ? "This run ended before it had a plan." : PLAN_TO_COME);
  }

  function updatePlot() {
    plot.update(run, isResting(now.state));
    show(convergence, convergesIn(run, now, isResting(now.state)));
  }

  const updates = [updateNow, updatePlan, updatePlot, () => ledger.update(run, isResting(now.state)), () => log.update(run)];

  async function renew(next) {
    if (next.state !== now.state) speak(`${title} is ${words.stateWord(next.word)}: ${words.sentence(next)}`);
    now = next;
    seen = performance.now();
    run.plan ??= next.plan;
    if (next.workers) run.workers = next.workers;
    document.title = `${words.stateWord(next.word)} · ${title} · dsketch`;
    badge.update(next.state, next.word);
    tags.update(next);
    say(sentence, words.sentence(next));
    root.querySelector(".sheets")?.classList.toggle("is-resting", isResting(next.state));
    sentence.classList.toggle("is-bad", next.state === "failed");
    stall.heard(next);
    output.update(next);
    tick();
    await showAnswer(certificate, answer, next);
    residuals.update(hasSolution(next.state) ? answer.found() : null);
    predictions.update(hasSolution(next.state) && !answer.element.hidden);
    actions.update(next);
    about.renew();
  }

  return { updates, renew, tick, plot, actions };
}

const DIRECT = 3; // passes of a run that has x in one step: its plot would be a point

/** Whether the run has, or may come to have, errors that get smaller from pass to pass. */
function convergesIn(run, job, rests) {
  if (run.points.size > 1) return true;
  if (rests) return false;
  const planned = (job.plan ?? run.plan)?.passes;
  return (planned === undefined || planned > DIRECT);
}

async function showAnswer(box, answer, job) {
  if (box.dataset.state === job.state) return;
  box.dataset.state = job.state;
  if (!hasSolution(job.state)) {
    const why = isResting(job.state)
      ? "There is no answer: this run ended before it had one."
      : job.spec.problem === "predict"
        ? "Come when the new rows are read."
        : "Comes with the answer: how far x can be trusted, in words and numbers.";
    box.replaceChildren(h("p", { class: "muted" }, why));
    return;
  }
  try {
    const solution = await get(`v1/jobs/${job.id}/solution`);
    const isPrediction = job.spec.problem === "predict";
    box.replaceChildren(...(isPrediction ? predictionsView(job, solution) : certificateView(solution)).flat());
    if (!isPrediction) await answer.update(job, solution);
  } catch (error) {
    delete box.dataset.state;
    box.replaceChildren(notice(error instanceof Refusal ? error : new Error(String(error))));
  }
}

/** The coefficients: out of sight until there are some. */
function answerCard(id) {
  const view = coefficientsView(id);
  const text = h("pre", { class: "scroll", tabindex: "0", "aria-label": "Table of coefficients as text" });
  const asText = h("details", { class: "pad" }, h("summary", {}, "The table as text"), text);
  const element = card("Coefficients", [view.element, asText], "coefficients");
  element.hidden = true;
  return {
    element,
    found: view.found,
    async update(job, solution) {
      const said = solution.summary?.text ?? solution.no_summary;
      show(element, (await view.load(job, solution)) || Boolean(said));
      show(asText, Boolean(said));
      say(text, said ?? "");
    },
  };
}

/** What a prediction may say besides what every run may: it is no problem of the service's, which tells of no form for it. */
const PREDICTION = [{ name: "offset", default: null }];

/** What a document asks for otherwise than who leaves a word out; all of it where the service tells no defaults. */
function asked(spec, service) {
  const problem = service.problems.find((one) => one.name === spec.problem);
  if (!problem && spec.problem !== "predict") return spec;
  const options = [...(problem ? [...problem.inputs, ...problem.words, ...problem.options] : PREDICTION), ...service.job];
  const defaults = new Map(options.map((one) => /** @type {[string, string]} */ ([one.name, JSON.stringify(one.default)])));
  const differs = (name, value) => JSON.stringify(value) !== defaults.get(name);
  const limits = Object.entries(spec.limits ?? {}).filter(([name, value]) => differs(`limits.${name}`, value));
  const others = Object.entries(spec).filter(([name, value]) => name !== "limits" && differs(name, value));
  return Object.fromEntries([...others, ...(limits.length ? [["limits", Object.fromEntries(limits)]] : [])]);
}

/** Residuals, drawn when asked for: of problems that have a number for each row to fit. */
function residualsCard(job, mayChange) {
  const view = residualsView(job.id, job.spec);
  const element = card("Residuals", view.element, "residuals");
  element.hidden = true;
  return {
    element,
    update(found) {
      show(element, mayChange && found !== null && view.isOffered);
      if (!element.hidden) view.load(found);
    },
  };
}

/** Predictions of new rows, where the answer can make some. */
function predictCard(job, about, mayChange) {
  const view = predictView(job.id, job.spec, about);
  const element = card("Predict new rows", view.element, "predict");
  element.hidden = true;
  return { element, update: (isAnswered) => show(element, mayChange && isAnswered && view.isOffered) };
}

function card(title, content, name) {
  return h("section", { class: "card", "aria-label": title, data: name ? { part: name } : {} }, h("h2", {}, title), content);
}

/** Facts in a row, with a dot between two. */
const parted = (facts) => facts.map((fact) => h("span", { class: "fact" }, fact));
