// A study at a glance: the answer on top, then a grid of panels that each lead to their view.

import { bestFirst } from "./choose.js";
import { commands } from "./commands.js";
import { h } from "./dom.js";
import { gainBar, gainScale, gainText, isUndecided } from "./gain_bar.js";
import {
  counted, duration, hoursOf, isNumber, isPrecision, merit, metricText, moment, NOTHING, number, short, shownValue, titleOf,
} from "./format.js";
import { heatMap } from "./heat_map.js";
import { linkTo } from "./hash.js";
import { isFailure } from "./incidents.js";
import { importanceChart } from "./importance_chart.js";
import { lines } from "./lines.js";
import { predictionStrip } from "./prediction_strip.js";
import { progressBar, progressText, timeLeft } from "./progress_bar.js";
import { nameOf, points } from "./snapshot.js";
import { withoutStudents } from "./states.js";
import { table } from "./table.js";

const TOP = 5;
const LATEST = 5; // failures
const HEIGHT = 260; // pixels of a chart
const NOT_ENDED = new Set(["running", "unfinished", "paused"]);

/** Return the page of one study. */
export function studyPage(study, context) {
  const held = { ...context, snapshot: context.snapshot.holding(study.id), study: study.id };
  const trials = held.snapshot.trialsOf(study.id);
  return h(
    "div",
    { class: "study", "data-study": study.id },
    study.description && h("p", { class: "note clamp" }, study.description),
    answer(study, held),
    h(
      "div",
      { class: "grid" },
      [
        curves(study, held, trials),
        search(study, held),
        topRows(study, held),
        predictions(study, held, trials),
        failures(study, held, trials),
        unended(study, held, trials),
      ].filter(Boolean),
    ),
  );
}

/** Return what leads a study's panel to its view. */
function panel(study, view, title, ...content) {
  return h(
    "section",
    { class: "tile", id: `tile-${view}` },
    h("h2", {}, h("a", { href: linkTo({ study: study.id, view }) }, title, h("span", { "aria-hidden": "true" }, " ›"))),
    content,
  );
}

function answer(study, { snapshot }) {
  const { metric } = snapshot.data;
  const found = study.answer;
  return h(
    "section",
    { class: "answer", "aria-label": "Did it help?" },
    h("div", { class: "verdict" }, verdict(found, metric), h("p", { class: "sentence", id: "gain-sentence" }, sentence(study))),
    h(
      "dl",
      { class: "facts" },
      fact(`Best ${titleOf(metric)}`, best(study, snapshot)),
      found && isNumber(found.none) && fact("Alone (none)", metricText(metric, found.none)),
      found && isNumber(found.teacher) && fact("Teacher", metricText(metric, found.teacher)),
      found && isNumber(found.gap_closed) && fact("Teacher's gap closed", `${(100 * found.gap_closed).toFixed(0)} %`),
      fact("Cost", isNumber(study.gpu_hours) ? `${number(study.gpu_hours)} ${hoursOf(study.on_gpu)}` : NOTHING),
      study.fidelity && fact("Order beside the full study", fidelityOf(study.fidelity, snapshot)),
      fact("Time left", timeLeft(study)),
      fact("Last run", moment(study.run_at ?? study.started)),
      fact("Experiment", study.experiment),
    ),
    progressBar(study),
    progressText(study),
    (study.next ?? []).length > 0 && commands(study.next, `STUDY is the file of the study ${study.name}.`),
  );
}

/** Return how well a short study orders its rows, and where the full one is. */
function fidelityOf({ study, rows, correlation }, { byStudy }) {
  const value = isNumber(correlation) ? `ρ = ${correlation.toFixed(2)} over ${counted(rows, "row")}` : `unknown: ${counted(rows, "row")} finished at both lengths`;
  return h("span", { id: "fidelity", title: "Spearman's rank correlation of the rows' means" }, value, " ", h("a", { href: linkTo({ view: "overview", study }) }, byStudy.get(study)?.name ?? "the full study"));
}

function verdict(found, metric) {
  if (!found) return h("p", { class: "headline" }, "No result yet");
  if (found.kind === "baseline") return h("p", { class: "headline" }, "No gain");
  if (!isNumber(found.gain)) return h("p", { class: "headline" }, metricText(metric, found.mean));
  const gain = { gain: found.gain, interval: found.gain_interval };
  return h(
    "p",
    { class: `headline ${isUndecided(gain) ? "open" : ""}`, id: "gain" },
    h("span", { class: "points" }, gainText(metric, { gain: found.gain }), h("small", {}, ` ${titleOf(metric)}`)),
    gainBar(gain, gainScale([gain]), metric),
  );
}

function sentence({ answer: found, counts = {} }) {
  if (found) return found.sentence ? `Gain: ${found.sentence}.` : `${counted(found.seeds, "seed")} against ${counted(found.none_seeds, "seed")} of the student alone.`;
  return counts.running ? "No student has been trained to its end yet." : "No student has been trained to its end.";
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function best(study, snapshot) {
  const winner = snapshot.byRun.get(study.best);
  if (!winner) return "no student is finished yet";
  const { metric } = snapshot.data;
  return h(
    "span",
    {},
    h("b", { "data-best": "" }, metricText(metric, snapshot.best(winner, metric))),
    " ",
    h("a", { href: linkTo({ study: study.id, view: "trial", trials: winner.run }), id: "best-trial" }, nameOf(winner)),
  );
}

/** Return the curves of the best student, of the student alone and, as a level, of the teacher; else of what there is. */
function curves(study, context, trials) {
  const { snapshot } = context;
  const { metric } = snapshot.data;
  if (trials.length === 0) return null;
  if (!snapshot.histories) return panel(study, "curves", "Learning curves", h("p", { class: "state", role: "status" }, "Reading the curves …"));
  const scale = shownValue(metric, 1);
  const shown = compared(study, context, trials)
    .map(([name, trial]) => ({ name, data: points(snapshot.curve(trial.run, metric), scale) }))
    .filter(({ data }) => data.length > 0);
  if (shown.length === 0) return panel(study, "curves", "Learning curves", withoutStudents(trials, trials));
  const teacher = study.answer?.teacher;
  const steps = shown.flatMap(({ data }) => data.map(([step]) => step));
  const level = isNumber(teacher) && {
    name: "teacher, at its best",
    data: [Math.min(...steps), Math.max(...steps)].map((step) => [step, scale * teacher]),
    symbolSize: 0,
    lineStyle: { type: "dotted", width: 2 },
  };
  return panel(
    study,
    "curves",
    "Learning curves",
    lines({
      id: "study-curves",
      title: titleOf(metric),
      curves: level ? [...shown, level] : shown,
      y: titleOf(metric),
      height: HEIGHT,
      decimals: isPrecision(metric) ? 2 : null,
    }),
  );
}

function compared(study, context, trials) {
  const { snapshot } = context;
  const row = snapshot.rows.find(({ key }) => key === study.answer?.row);
  const alone = snapshot.rows.find(({ key, group }) => key === row?.none_key && group === row?.group);
  const winner = snapshot.byRun.get(study.best);
  if (!winner) return bestFirst(context, trials).slice(0, TOP).map((trial) => [nameOf(trial), trial]);
  const none = bestFirst(context, (alone?.counted ?? []).map((run) => snapshot.byRun.get(run)).filter(Boolean))[0];
  return [["best: " + nameOf(winner), winner], ...(none ? [["alone: " + nameOf(none), none]] : [])];
}

/** Return the surface over the weights, or how much each setting matters. */
function search(study, { snapshot }) {
  const own = new Set(study.runs);
  const grid = (snapshot.data.alpha ?? []).find((found) => found.runs.flat(2).some((run) => own.has(run)) && found.n.flat().some((n) => n > 0));
  if (grid) return panel(study, "alpha", "Loss weights", heatMap(grid, snapshot.data.metric, "study-alpha"));
  const groups = new Set(snapshot.groups.filter(({ runs }) => runs.some((run) => own.has(run))).map(({ id }) => id));
  const entry = (snapshot.data.importance ?? []).find(({ group, values }) => groups.has(group) && Object.keys(values).length > 0);
  return entry ? panel(study, "importance", "Importance", importanceChart(entry, entry.method, "study-importance", snapshot.data.metric)) : null;
}

function topRows(study, { snapshot }) {
  const { metric } = snapshot.data;
  const own = new Set(study.runs);
  const mean = (row) => snapshot.pick(row.mean, metric);
  const rows = snapshot.rows
    .filter(({ group, kind, counted: runs }) => kind !== "teacher" && group === (study.answer?.group ?? group) && runs.some((run) => own.has(run)))
    .filter((row) => isNumber(mean(row)))
    .sort((a, b) => merit(metric, mean(b)) - merit(metric, mean(a)))
    .slice(0, TOP);
  if (rows.length === 0) return null;
  const gainOf = (row) => ({ gain: row.to_none, interval: row.gain_interval });
  const scale = gainScale(rows.map(gainOf));
  return panel(
    study,
    "leaderboard",
    "Leaderboard",
    table({
      id: "top-rows",
      caption: `The best ${counted(rows.length, "row")}`,
      rows,
      rowClass: ({ key }) => (key === study.answer?.row ? "best" : null),
      columns: [
        { key: "rank", title: "Rank", numeric: true, text: (value) => value ?? NOTHING },
        {
          key: "label",
          title: "Trials",
          node: (label, row) =>
            h("a", { href: linkTo({ study: study.id, view: "trial", trials: row.runs.join(",") }) }, short(label, 60)),
        },
        { key: "mean", title: titleOf(metric), numeric: true, value: mean, text: (value, row) => around(snapshot, metric, value, row) },
        { key: "n", title: "Seeds", numeric: true },
        { key: "gain", title: "Gain", value: (row) => row.to_none, node: (_, row) => h("span", { class: "gain-cell" }, gainBar(gainOf(row), scale, metric), h("span", {}, gainText(metric, { gain: row.to_none }))) },
      ],
    }),
  );
}

function around(snapshot, metric, value, row) {
  const spread = snapshot.pick(row.spread, metric);
  return isNumber(spread) ? `${metricText(metric, value)} ± ${metricText(metric, spread)}` : metricText(metric, value);
}

function predictions(study, context, trials) {
  if (!trials.some(({ tags }) => tags?.["stillhouse.predictions"])) return null;
  return panel(study, "predictions", "Where the students differ most", predictionStrip(study, context));
}

function failures(study, _, trials) {
  const events = trials
    .flatMap((trial) => (trial.events ?? []).filter(isFailure).map((event) => ({ ...event, trial })))
    .sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
  if (events.length === 0) return panel(study, "failures", "Failures", h("p", { class: "note" }, "Nothing failed."));
  const failed = trials.filter(({ status }) => status === "failed").length;
  return panel(
    study,
    "failures",
    "Failures",
    h("p", { class: "note" }, `${counted(failed, "trial")} failed; ${counted(events.length, "incident")} in all, the latest first.`),
    h(
      "ul",
      { class: "events" },
      events.slice(0, LATEST).map((event) =>
        h("li", {}, h("span", { class: "note" }, moment(event.time)), ` ${nameOf(event.trial)}: `, h("b", {}, short(event.kind, 40)), ` ${short(event.detail || event.action, 140)}`),
      ),
    ),
  );
}

function unended(study, { snapshot }, trials) {
  const rows = trials.filter(({ status }) => NOT_ENDED.has(status));
  if (rows.length === 0) return null;
  const { metric } = snapshot.data;
  return h(
    "section",
    { class: "tile", id: "tile-running" },
    h("h2", {}, "Not ended yet"),
    table({
      id: "running",
      caption: "Trials that have not ended",
      rows,
      sortable: true,
      columns: [
        { key: "name", title: "Trial", value: nameOf, node: (name, row) => h("a", { href: linkTo({ study: study.id, view: "trial", trials: row.run }) }, short(name, 60)) },
        { key: "status", title: "State" },
        { key: "epoch", title: "Epoch", numeric: true, text: (value, row) => `${value ?? 0} of ${row.epochs ?? "?"}` },
        { key: "epoch_s", title: "An epoch takes", numeric: true, text: duration },
        { key: "last", title: `Last ${titleOf(metric)}`, numeric: true, value: (row) => snapshot.last(row, metric), text: (value) => metricText(metric, value) },
      ],
    }),
  );
}
