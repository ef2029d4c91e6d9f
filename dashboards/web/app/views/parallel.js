// All searched settings and the outcome, a line each trial; drag along an axis to pick lines.

import { chart } from "../chart.js";
import { chooseGroup } from "../choose.js";
import { isNumber, isNumeric, isPrecision, metricText, shownValue, titleOf } from "../format.js";
import { markedName, varying } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";

const AXES = 8;
const TICKS = 12; // numbers that each get a place of their own on an axis
const LEVELS = 30; // texts that still fit on an axis

export const view = {
  id: "parallel",
  title: "Parallel coordinates",
  lede: "One line per trial through its settings to its result. Drag along an axis to keep the lines that pass there.",
  render(context) {
    const { snapshot, runs, metric } = context;
    const { group, control } = chooseGroup(context);
    if (!group) return filteredOut();
    const measured = [...group.baselines, ...group.runs]
      .filter((run) => runs.has(run))
      .map((run) => snapshot.byRun.get(run))
      .filter((trial) => isNumber(snapshot.best(trial, metric)));
    const keys = measured.length > 0 ? settingsThatDiffer(snapshot, measured) : [];
    if (keys.length === 0)
      return [
        control,
        empty("No setting differs among these trials", "It takes two measured students that were set up differently."),
      ];
    const values = measured.map((trial) => snapshot.params(trial));
    const axes = keys.map((key) =>
      axisOf(
        key,
        values.map((of) => of[key]),
      ),
    );
    const left = varying(snapshot, measured).length - keys.length;
    return [
      control,
      chart({
        id: "parallel",
        title: `${keys.length} settings and ${titleOf(metric)}`,
        height: 460,
        note: `${measured.length} trials${left > 0 ? `; ${left} further settings have too many values to draw` : ""}`,
        options: (shade) => options(measured, values, axes, snapshot, metric, shade),
        numbers: () => ({
          rows: measured.map((trial, index) => ({ trial, values: values[index] })),
          columns: [
            { key: "name", title: "Trial", value: ({ trial }) => markedName(trial) },
            ...keys.map((key) => ({ key, title: key, value: (row) => row.values[key] })),
            {
              key: "metric",
              title: titleOf(metric),
              numeric: true,
              value: ({ trial }) => snapshot.best(trial, metric),
              text: (v) => metricText(metric, v, 2),
            },
          ],
        }),
      }),
    ];
  },
};

function settingsThatDiffer(snapshot, trials) {
  const searched = new Set(snapshot.studies.flatMap((study) => study.searched ?? []));
  const found = varying(snapshot, trials).filter((key) => fits(trials.map((trial) => snapshot.params(trial)[key])));
  return [...found.filter((key) => searched.has(key)), ...found.filter((key) => !searched.has(key))].slice(0, AXES);
}

function fits(values) {
  return new Set(values).size <= LEVELS || values.every((value) => value === undefined || isNumeric(value));
}

function axisOf(key, values) {
  const present = values.filter((value) => value !== undefined);
  const levels = [...new Set(present)];
  if (!present.every(isNumeric) || levels.length <= TICKS) {
    const ordered = levels.every(isNumeric) ? levels.sort((a, b) => a - b) : levels.sort();
    return { name: key, type: "category", data: ordered, read: (value) => value ?? null };
  }
  const numbers = present.map(Number);
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return {
    name: key,
    type: low > 0 && high / low >= 50 ? "log" : "value",
    scale: true,
    read: (value) => (value === undefined ? null : Number(value)),
  };
}

function options(trials, values, axes, snapshot, metric, shade) {
  const outcome = trials.map((trial) => shownValue(metric, snapshot.best(trial, metric)));
  const short = (name) => name.split(".").slice(-2).join(".").slice(0, 24);
  const drawn = [
    ...axes.map(({ read, ...axis }) => ({ ...axis, name: short(axis.name) })),
    { name: short(titleOf(metric)), type: "value", scale: true },
  ];
  const label = {
    color: shade.text,
    backgroundColor: shade.surface, // lines run through where the labels stand
    padding: [1, 3],
    formatter: (value) => String(value).slice(0, 14),
  };
  return {
    parallel: {
      left: 48,
      right: 72,
      top: 48,
      bottom: 64,
      parallelAxisDefault: {
        axisLabel: label,
        axisLine: { lineStyle: { color: shade.quiet } },
        nameTextStyle: { color: shade.text },
      },
    },
    parallelAxis: drawn.map((axis, dim) => ({ ...axis, dim })),
    visualMap: {
      min: Math.min(...outcome),
      max: Math.max(...outcome) + 1e-9,
      dimension: axes.length,
      calculable: true,
      orient: "horizontal",
      left: "center",
      bottom: 0,
      inRange: { color: shade.lines },
      textStyle: { color: shade.text },
      precision: isPrecision(metric) ? 1 : 4,
    },
    series: {
      type: "parallel",
      smooth: false,
      lineStyle: { width: trials.length > 200 ? 1 : 2, opacity: trials.length > 200 ? 0.45 : 0.8 },
      inactiveOpacity: 0.04,
      data: values.map((of, index) => [...axes.map(({ name, read }) => read(of[name])), outcome[index]]),
    },
  };
}
