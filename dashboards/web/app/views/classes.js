// Where the student falls behind its teacher, class by class.

import { axis, chart } from "../chart.js";
import { bestFirst, chooseTrial } from "../choose.js";
import { h } from "../dom.js";
import { isNumber, NOTHING, signed } from "../format.js";
import { nameOf } from "../snapshot.js";
import { empty, filteredOut, withoutStudents } from "../states.js";
import { table } from "../table.js";

const percent = (value) => (isNumber(value) ? (100 * value).toFixed(1) : NOTHING);
const DRAWN = 40;

export const view = {
  id: "classes",
  title: "Classes",
  group: "faults",
  lede: "AP by class of a student, of its teacher, and of the same student trained alone.",
  render(context) {
    const { snapshot, trials, wish } = context;
    if (trials.length === 0) return filteredOut();
    const has = (trial) => trial && Object.keys(trial.per_class ?? {}).length > 0;
    if (trials.every(({ role }) => role !== "student")) return withoutStudents(trials, context.ofStudy);
    const students = trials.filter((trial) => trial.role === "student" && has(trial));
    if (students.length === 0)
      return empty("No AP by class is recorded", "Trials record it when their evaluation is classwise.");
    const { trial, control } = chooseTrial("trial", "Student", bestFirst(context, students), wish);
    const group = snapshot.groupsOf(trial.run)[0];
    const pick = (runs) => bestFirst(context, runs.map((run) => snapshot.byRun.get(run)).filter(has))[0];
    const teacher = pick([trial.teacher_run, ...(group?.teachers ?? [])].filter(Boolean));
    const alone = pick(
      (group?.baselines ?? []).filter((run) => run !== trial.run && snapshot.byRun.get(run)?.student === trial.student),
    );
    const rows = classes(trial, teacher, alone);
    return [
      h("div", { class: "controls" }, control),
      said(trial, teacher, alone),
      figure(rows, teacher, alone),
      numbers(rows),
    ];
  },
};

function classes(trial, teacher, alone) {
  const names = [...new Set([trial, teacher, alone].flatMap((of) => Object.keys(of?.per_class ?? {})))];
  return names.map((name) => {
    const [student, best, none] = [trial, teacher, alone].map((of) => of?.per_class?.[name] ?? null);
    const gap = isNumber(student) && isNumber(best) ? student - best : null;
    return {
      name,
      student,
      teacher: best,
      none,
      gap,
      gain: isNumber(student) && isNumber(none) ? student - none : null,
    };
  });
}

function said(trial, teacher, alone) {
  return h(
    "p",
    { class: "note" },
    `Student: ${nameOf(trial)}. `,
    teacher ? `Teacher: ${teacher.student}. ` : "The teacher's AP by class is not recorded. ",
    alone ? `Alone: ${nameOf(alone)}.` : "No trial of this student alone to compare with.",
  );
}

function figure(rows, teacher, alone) {
  const shown = [...rows]
    .sort((a, b) => (a.gap ?? 0) - (b.gap ?? 0))
    .slice(0, DRAWN)
    .reverse();
  const series = [
    ["student", "student", "circle"],
    teacher && ["teacher", "teacher", "diamond"],
    alone && ["none", "alone", "emptyTriangle"],
  ].filter(Boolean);
  return chart({
    id: "classes",
    title: "AP by class",
    note:
      rows.length > DRAWN ? `The ${DRAWN} classes furthest behind the teacher` : "Furthest behind the teacher first",
    height: 100 + 22 * shown.length,
    csv: () => ({ rows, columns: columns() }),
    options: () => ({
      grid: { left: 12, right: 24, top: 36, bottom: 44, containLabel: true },
      legend: { itemWidth: 14 },
      xAxis: axis("AP, percent", { type: "value", min: 0, boundaryGap: [0, "4%"] }),
      yAxis: axis("", { type: "category", data: shown.map(({ name }) => [...name].slice(0, 30).join("")) }),
      tooltip: {
        trigger: "axis",
        axisPointer: { type: "shadow" },
        valueFormatter: (value) => (isNumber(value) ? value.toFixed(1) : NOTHING),
      },
      series: series.map(([key, name, symbol]) => ({
        type: "scatter",
        name,
        symbol,
        symbolSize: 11,
        data: shown.map((row) => (isNumber(row[key]) ? 100 * row[key] : null)),
      })),
    }),
  });
}

function columns() {
  const points = (value) => signed(isNumber(value) ? 100 * value : null);
  return [
    { key: "name", title: "Class" },
    { key: "student", title: "Student", numeric: true, text: percent },
    { key: "teacher", title: "Teacher", numeric: true, text: percent },
    { key: "gap", title: "To teacher", numeric: true, text: points },
    { key: "none", title: "Alone", numeric: true, text: percent },
    { key: "gain", title: "To alone", numeric: true, text: points },
  ];
}

function numbers(rows) {
  return table({
    id: "class-table",
    caption: "AP by class",
    rows,
    sortable: true,
    sorted: "gap",
    columns: columns(),
  });
}
