// One trial: what was set, how it went, what came out, and what to do with it.

import { textOf } from "../artifacts.js";
import { bestFirst, chooseTrial } from "../choose.js";
import { commands } from "../commands.js";
import { h } from "../dom.js";
import {
  counted, duration, hoursOf, isNumber, isPrecision, meaningOf, metricText, moment, NOTHING, number, short, shownValue, titleOf,
} from "../format.js";
import { list, linkTo } from "../hash.js";
import { along, lineControls, lookOf } from "../line_controls.js";
import { lines } from "../lines.js";
import { confusionTable } from "../confusion_table.js";
import { precisionChart } from "../precision_chart.js";
import { lookedAt, SCORE, TAG, withIndex } from "../prediction_files.js";
import { markedName, varying } from "../snapshot.js";
import { filteredOut } from "../states.js";
import { isFailure } from "../incidents.js";
import { splitErrorsOf } from "../split_errors.js";
import { systemCharts } from "../system_charts.js";
import { table } from "../table.js";
import { termCharts } from "../term_charts.js";

const ERROR = "error.txt"; // of a run in MLflow: the last lines that a failed trial wrote
const TAIL = 40; // lines
const BESIDE = 3; // trials beside whose precision its own is drawn
const STATES = { stopped: "stopped early", unfinished: "not ended, and nothing is heard of it" };

export const view = {
  id: "trial",
  title: "Trial",
  group: "results",
  lede: "One trial: its settings beside its neighbours', its course, its result, and the commands that go on with it.",
  curves: true,
  heading: (context) => (chosen(context) ? markedName(chosen(context)) : "Trial"),
  render(context) {
    const { snapshot, trials, wish } = context;
    const trial = chosen(context);
    if (!trial) return filteredOut();
    const named = among(context);
    const { control } = chooseTrial("trial", named.length > 1 ? "Trial of this row" : "Trial", named.length > 1 ? named : bestFirst(context, trials), { trial: trial.run });
    const study = snapshot.byStudy.get(trial.study);
    return [
      h("div", { class: "controls" }, control),
      h("div", { class: "grid" }, facts(context, trial, study), next(context, trial, study), settings(context, trial), results(context, trial)),
      lineControls(wish),
      curve(context, trial),
      h("div", { class: "pairs" }, termCharts(snapshot, trial.run, lookOf(wish))),
      events(trial),
      log(context, trial),
      classes(trial),
      errors(context, trial, study),
      systemCharts(snapshot, trial.run),
      tags(trial),
    ].filter(Boolean);
  },
};

/** Return the trials that the address names: those of a row of the leaderboard. */
function among({ snapshot, wish }) {
  return list(wish.trials).map((run) => snapshot.byRun.get(run)).filter(Boolean);
}

function chosen(context) {
  const { snapshot, trials, wish } = context;
  const named = among(context);
  const asked = snapshot.byRun.get(wish.trial);
  if (asked && (named.length === 0 || named.includes(asked))) return asked;
  return named[0] ?? bestFirst(context, trials)[0] ?? null;
}

function tile(title, ...content) {
  return h("section", { class: "tile" }, h("h2", {}, title), content);
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function facts({ snapshot }, trial, study) {
  const { metric } = snapshot.data;
  const at = isNumber(trial.best_epoch) ? `, at epoch ${trial.best_epoch}` : "";
  const teacher = snapshot.byRun.get(trial.teacher_run);
  return tile(
    "What it is",
    trial.note && h("p", { class: "note" }, short(trial.note, 400)),
    h(
      "dl",
      { class: "facts" },
      fact("State", `${STATES[trial.status] ?? trial.status}${trial.reason ? `: ${short(trial.reason, 300)}` : ""}`),
      fact(`Best ${titleOf(metric)}`, h("span", {}, h("b", { id: "trial-best" }, metricText(metric, snapshot.best(trial, metric), 2)), at)),
      fact("Epochs", `${trial.epoch ?? 0} of ${trial.epochs ?? "?"}`),
      trial.prefix && fact("Starts from", prefixOf(snapshot, trial.prefix)),
      fact(hoursOf(trial.on_gpu), `${number(trial.gpu_hours)}${trial.devices > 1 ? ` on ${counted(trial.devices, "device")}` : ""}`),
      fact("An epoch takes", duration(trial.epoch_s)),
      fact("Started", moment(trial.started)),
      fact("Ended", moment(trial.ended)),
      fact("Student", trial.student || NOTHING),
      teacher
        ? fact("Teacher", h("a", { href: linkTo({ trials: teacher.run, trial: null }) }, teacher.student))
        : trial.teacher && fact("Teacher", trial.teacher),
      study && fact("Study", h("a", { href: linkTo({ view: "overview", study: study.id }) }, study.name)),
    ),
  );
}

/** Return whose state the trial started from: the epochs before are in its curves, and in the hours of the other one. */
function prefixOf(snapshot, { trial, run, epochs }) {
  const other = snapshot.byRun.get(run);
  const name = other ? h("a", { href: linkTo({ trials: other.run, trial: null }) }, markedName(other)) : h("code", {}, trial);
  return h("span", { id: "trial-prefix" }, name, `, after epoch ${epochs}: those epochs are counted in its hours`);
}

/** Return the commands that the trial's state allows, where it lies and where MLflow shows it. */
function next({ snapshot }, trial, study) {
  const made = trial.id !== trial.run;
  const of = (command, purpose) => ({ command: `stillhouse ${command} STUDY --trial ${trial.id}`, purpose });
  const steps = [
    trial.status === "finished" && { command: `stillhouse export STUDY --trial ${trial.id} --to student`, purpose: "write its weights" },
    trial.status === "running" && of("stop", "stop it early; its best epoch stays"),
    trial.status === "running" && of("pause", "let it wait"),
    trial.status === "paused" && of("resume", "let it go on"),
    trial.status === "failed" && of("retry", "try it again from its last state"),
  ].filter(Boolean);
  return tile(
    "What to do with it",
    made && steps.length > 0 && commands(steps, study ? `STUDY is the file of the study ${study.name}.` : null),
    h(
      "dl",
      { class: "facts" },
      made && fact("Folder in the store", h("code", {}, `trials/${trial.id}`)),
      fact("Run in MLflow", mlflow(snapshot, trial)),
    ),
    h(
      "p",
      { class: "links" },
      h("a", { href: linkTo({ view: "compare", a: trial.run, b: null }) }, "Compare it with another trial"),
      trial.tags?.[TAG] && h("a", { href: linkTo({ view: "predictions", seen: trial.run }) }, "See its predictions"),
    ),
  );
}

function mlflow({ data }, trial) {
  if (!data.live || !data.mlflow || !trial.experiment) return h("code", {}, trial.run);
  const address = `${data.mlflow.replace(/\/+$/, "")}/#/experiments/${encodeURIComponent(trial.experiment)}/runs/${encodeURIComponent(trial.run)}`;
  return h("a", { href: address, id: "mlflow-link", target: "_blank", rel: "noopener noreferrer" }, trial.run);
}

/** Return the settings in which the trials of the study differ, then all others. */
function settings({ snapshot }, trial) {
  const own = snapshot.params(trial);
  const neighbours = snapshot.trialsOf(trial.study).filter(({ role }) => role === trial.role);
  const differing = new Set(varying(snapshot, neighbours));
  const told = (key) => [...new Set(neighbours.map((other) => snapshot.params(other)[key]).filter((value) => value !== undefined && value !== own[key]))];
  const rows = Object.entries(own).map(([key, value]) => ({ key, value })).sort((a, b) => a.key.localeCompare(b.key, "en"));
  const columns = [{ key: "key", title: "Setting" }, { key: "value", title: "This trial", text: (value) => short(value) }];
  const first = rows.filter(({ key }) => differing.has(key));
  return tile(
    "Settings that its neighbours have otherwise",
    first.length === 0
      ? h("p", { class: "note" }, "No setting differs among the trials of its study.")
      : table({ id: "own-settings", caption: "Settings that differ", rows: first, columns: [...columns, { key: "others", title: "Others", value: ({ key }) => short(told(key).join(", "), 60) }] }),
    h("details", { class: "numbers", id: "all-settings-details" }, h("summary", {}, `All ${counted(rows.length, "setting")}`), table({ id: "all-settings", caption: "All settings", rows, columns })),
  );
}

function results({ snapshot }, trial) {
  const rows = snapshot.metrics
    .map((key) => ({ key, best: snapshot.best(trial, key), last: snapshot.last(trial, key) }))
    .filter(({ best, last }) => best !== null || last !== null);
  const text = (value, row) => metricText(row.key, value, 2);
  return tile(
    "Results",
    table({
      id: "trial-metrics",
      caption: "Metrics",
      rows,
      sortable: true,
      columns: [
        { key: "key", title: "Metric", node: (key) => h("span", { title: meaningOf(key) }, titleOf(key)) },
        { key: "best", title: "Best epoch", numeric: true, text },
        { key: "last", title: "Last epoch", numeric: true, text },
      ],
    }),
  );
}

/** Return the trial's curve beside that of the student alone. */
function curve({ snapshot, metric, wish }, trial) {
  const look = lookOf(wish);
  const row = snapshot.rows.find(({ runs }) => runs.includes(trial.run));
  const alone = snapshot.rows.find(({ key, group }) => key === row?.none_key && group === row?.group);
  const beside = snapshot.byRun.get(alone?.counted[0]);
  const curves = [trial, beside]
    .filter(Boolean)
    .map((each) => ({ name: markedName(each), data: along(snapshot, each.run, metric, shownValue(metric, 1), look) }))
    .filter(({ data }) => data.length > 0);
  if (curves.length === 0) return null;
  return lines({ id: "trial-curve", title: titleOf(metric), note: beside ? "beside the same student alone" : "", curves, y: titleOf(metric), look, decimals: isPrecision(metric) ? 2 : null });
}

function events(trial) {
  const rows = trial.events ?? [];
  return h(
    "section",
    {},
    h("h2", {}, "Events"),
    rows.length === 0
      ? h("p", { class: "note" }, "It went straight on.")
      : table({
          id: "trial-events",
          caption: "Events",
          rows,
          columns: [
            { key: "time", title: "When", text: moment, whole: true },
            { key: "kind", title: "Kind", text: (value, event) => (isFailure(event) ? value : "stopped early") },
            { key: "action", title: "Then" },
            { key: "detail", title: "Why", text: (value) => short(value, 400) },
          ],
        }),
  );
}

/** Return the end of what a failed trial wrote, brought when it is there. */
function log({ snapshot }, trial) {
  if (trial.status !== "failed" || !snapshot.data.live) return null;
  const place = h("pre", { class: "log", id: "log", tabindex: "0" }, "Reading …");
  textOf(snapshot, trial.run, ERROR).then((text) => {
    place.textContent = text ? text.trimEnd().split("\n").slice(-TAIL).join("\n") : "Nothing was recorded.";
  });
  return h("section", {}, h("h2", {}, "The end of its log"), place);
}

function classes(trial) {
  const rows = Object.entries(trial.per_class ?? {}).map(([name, value]) => ({ name, value }));
  if (rows.length === 0) return null;
  return h(
    "section",
    {},
    h("h2", {}, "By class"),
    h("p", { class: "note" }, h("a", { href: linkTo({ view: "classes", trial: trial.run }) }, "Beside its teacher and the student alone")),
    table({
      id: "trial-classes",
      caption: "AP by class",
      rows,
      sortable: true,
      sorted: "value",
      columns: [{ key: "name", title: "Class" }, { key: "value", title: "AP", numeric: true, text: (value) => (isNumber(value) ? (100 * value).toFixed(1) : NOTHING) }],
    }),
  );
}

/** Return the trial's precision over recall beside that of others that looked, and its confusions, filled when they are there. */
function errors(context, trial, study) {
  if (!trial.tags?.[TAG] || !study) return null;
  const place = h("div", { id: "trial-errors" });
  fillErrors(place, context, trial, study).catch((error) =>
    place.replaceChildren(h("p", { class: "note" }, `Its precision and recall could not be read: ${error.message}`)),
  );
  return place;
}

async function fillErrors(place, { snapshot }, trial, study) {
  const found = await withIndex(snapshot, [study]);
  const looked = found ? lookedAt(snapshot, found) : [];
  const own = looked.find(({ run }) => run === trial.run);
  if (!own) return;
  const beside = looked.filter((one) => one !== own && (one.role === "teacher" || one.trial.method === "none"));
  const shown = await Promise.all([own, ...beside.slice(0, BESIDE)].map(async (one) => ({ ...one, ...(await splitErrorsOf(snapshot, one, found.index)) })));
  if (!shown[0].curves && !shown[0].confusions) return;
  const { classes } = found.index;
  const seen = shown.map(({ run }) => run).join(",");
  place.replaceChildren(
    ...[
      h("h2", {}, "Precision, recall and confusions"),
      h("p", { class: "note" }, h("a", { href: linkTo({ view: "precision", seen }) }, "By class, at other scores, and the confusions of the others")),
      h(
        "div",
        { class: "pairs" },
        precisionChart({ id: "trial-precision", trials: shown, place: null, iou: "iou50", about: "all classes, at an IoU of 0.5" }),
        shown[0].confusions &&
          confusionTable({ id: "trial-confusion", heading: `Boxes of a score of at least ${SCORE}, at an IoU of 0.5`, confusions: shown[0].confusions, classes, iou: 0.5, score: SCORE }),
      ),
    ],
  );
}

function tags(trial) {
  const rows = Object.entries(trial.tags ?? {}).map(([key, value]) => ({ key, value })).sort((a, b) => a.key.localeCompare(b.key, "en"));
  if (rows.length === 0) return null;
  return h(
    "details",
    { class: "numbers", id: "tags-details" },
    h("summary", {}, counted(rows.length, "tag")),
    table({ id: "tags", caption: "Tags in MLflow", rows, columns: [{ key: "key", title: "Tag" }, { key: "value", title: "Value", text: (value) => short(value, 300) }] }),
  );
}
