// AP over epochs with and without distillation, a chart for each student: the paper's figure A1.

import { chooseGroup } from "../choose.js";
import { h } from "../dom.js";
import { isNumber, isPrecision, merit, shownValue, titleOf } from "../format.js";
import { lineControls, lookOf } from "../line_controls.js";
import { lines } from "../lines.js";
import { points } from "../snapshot.js";
import { empty, withoutStudents } from "../states.js";

const METHODS = 4; // distilled rows a student

export const view = {
  id: "phases",
  title: "Training curves with and without distillation",
  group: "training",
  lede: "Each student through its training, alone and distilled: means over seeds, as in the paper's figure A1.",
  curves: true,
  render(context) {
    const { group, control } = chooseGroup(context);
    if (!group) return withoutStudents(context.trials, context.ofStudy);
    const students = [...new Set(rowsOf(context, group).map(({ student }) => student))];
    const figures = students.map((student, index) => figure(context, group, student, index)).filter(Boolean);
    if (figures.length === 0)
      return [control, empty("Nothing to put side by side yet", "It takes a curve of a student.")];
    return [control, lineControls(context.wish, ["smooth", "log"]), h("div", { class: "pairs" }, figures)];
  },
};

function rowsOf({ snapshot, runs }, group) {
  return snapshot.rows.filter(
    (row) => row.group === group.id && row.kind !== "teacher" && row.runs.some((run) => runs.has(run)),
  );
}

function figure(context, group, student, index) {
  const { snapshot, metric } = context;
  const rows = rowsOf(context, group).filter((row) => row.student === student);
  const alone = rows.filter(({ kind }) => kind === "baseline");
  const distilled = rows
    .filter(({ kind }) => kind === "distilled")
    .sort((a, b) => mean(snapshot, b, metric) - mean(snapshot, a, metric));
  const curves = [...alone, ...distilled.slice(0, METHODS)]
    .map((row) => ({ name: `${row.label} (n=${row.counted.length})`, data: over(context, row) }))
    .filter(({ data }) => data.length > 0);
  if (curves.length === 0) return null;
  const note = alone.length > 0 ? "alone (none) and distilled" : "no trial of this student alone in this group";
  return lines({
    id: `phase-${index}`,
    title: student,
    note,
    curves,
    y: titleOf(metric),
    height: 320,
    decimals: isPrecision(metric) ? 2 : null,
    look: { ...lookOf(context.wish), x: null },
  });
}

function mean(snapshot, row, metric) {
  const value = snapshot.pick(row.mean, metric);
  return isNumber(value) ? merit(metric, value) : -Infinity;
}

/** Return the mean over the seeds that count at each epoch that all of them have recorded. */
function over({ snapshot, metric }, row) {
  const curves = row.counted
    .map((run) => points(snapshot.curve(run, metric), shownValue(metric, 1)))
    .map((curve) => new Map(curve.filter(([, value]) => isNumber(value))))
    .filter((curve) => curve.size > 0);
  if (curves.length === 0) return [];
  return [...curves[0].keys()]
    .filter((step) => curves.every((curve) => curve.has(step)))
    .map((step) => [step, curves.reduce((sum, curve) => sum + curve.get(step), 0) / curves.length]);
}
