// All searched settings and the outcome, a line each trial; drag along an axis to pick lines.

import { chart } from "../chart.js";
import { chooseGroup } from "../choose.js";
import { colourRange } from "../colour_range.js";
import { counted, isNumber, isNumeric, isPrecision, metricText, shownValue, titleOf } from "../format.js";
import { change, joined, list } from "../hash.js";
import { markedName, varying } from "../snapshot.js";
import { empty, withoutStudents } from "../states.js";

const AXES = 8;
const WIDE = 8; // the factor between the largest and the smallest number from which an axis is logarithmic
// Lines run through where the labels stand, hence their ground and its margin.
const LABEL = { padding: [1, 3], formatter: (value) => String(value).slice(0, 14) };
const RESULT = "result"; // the axis of the metric in the address
const NARROW = 90; // pixels between axes below which names are cut to their last part
const TICKS = 12; // values that each get a tick of their own
const LEVELS = 30; // texts that still fit on an axis

export const view = {
  id: "parallel",
  title: "Parallel coordinates",
  group: "search",
  lede: "One line per trial through its settings to its result. Drag along an axis to keep the lines that pass there.",
  render(context) {
    const { snapshot, runs, metric } = context;
    const { group, control } = chooseGroup(context);
    if (!group) return withoutStudents(context.trials, context.ofStudy);
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
    const kept = brushOf(context.wish, keys);
    const left = varying(snapshot, measured).length - keys.length;
    return [
      control,
      chart({
        id: "parallel",
        title: `${keys.length} settings and ${titleOf(metric)}`,
        height: 460,
        note: `${counted(measured.length, "trial")}${left > 0 ? `; ${left} further settings have too many values to draw` : ""}`,
        ondraw: (drawn) => brush(drawn, [...keys, metric], kept),
        options: (shade, width) => options(measured, values, axes, snapshot, metric, shade, width),
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

/** Return the intervals that the address keeps, by axis. */
function brushOf(wish, keys) {
  const found = new Map();
  for (const part of list(wish.brush)) {
    const [key, ...ends] = part.split("|");
    const interval = ends.map(Number);
    if (interval.length === 2 && interval.every(Number.isFinite)) found.set(key, interval);
  }
  return new Map([...found].filter(([key]) => keys.includes(key) || key === RESULT));
}

/** Bring the kept intervals onto a drawn chart, and keep those that are dragged in the address. */
function brush(drawn, keys, kept) {
  const name = (index) => (index === keys.length - 1 ? RESULT : keys[index]);
  keys.forEach((_, index) => {
    const interval = kept.get(name(index));
    if (interval) drawn.dispatchAction({ type: "axisAreaSelect", parallelAxisId: `axis-${index}`, intervals: [interval] });
  });
  drawn.on("axisareaselected", ({ intervals, parallelAxisId }) => {
    const index = Number(String(parallelAxisId).replace("axis-", ""));
    if (intervals?.length > 0) kept.set(name(index), intervals[0].map((end) => Number(end.toPrecision(5))));
    else kept.delete(name(index));
    change({ brush: joined([...kept].map(([key, ends]) => [key, ...ends].join("|"))) }, { quietly: true });
  });
}

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
  if (!present.every(isNumeric))
    return { name: key, type: "category", data: levels.sort(), read: (value) => value ?? null };
  const numbers = present.map(Number);
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return {
    name: key,
    type: low > 0 && high / low >= WIDE ? "log" : "value",
    scale: true,
    min: "dataMin",
    max: "dataMax",
    ...(levels.length <= TICKS ? ticksAt(numbers) : {}),
    read: (value) => (value === undefined ? null : Number(value)),
  };
}

/** Return ticks at the values that occur, and at no others. */
function ticksAt(numbers) {
  const customValues = [...new Set(numbers)].sort((a, b) => a - b);
  return { axisTick: { customValues }, axisLabel: { ...LABEL, customValues } };
}

function options(trials, values, axes, snapshot, metric, shade, width) {
  const spreads = snapshot.rows.map(({ spread }) => shownValue(metric, snapshot.pick(spread, metric)));
  const outcome = trials.map((trial) => shownValue(metric, snapshot.best(trial, metric)));
  const [low, high] = colourRange(outcome, spreads, isPrecision(metric));
  const parts = width / (axes.length + 1) < NARROW ? 1 : 2; // of a setting's dotted name
  const short = (name) => name.split(".").slice(-parts).join(".").slice(0, 24);
  const drawn = [
    ...axes.map(({ read, ...axis }) => ({ ...axis, name: short(axis.name) })),
    { name: short(titleOf(metric)), type: "value", scale: true },
  ];
  const label = { ...LABEL, color: shade.text, backgroundColor: shade.surface };
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
    parallelAxis: drawn.map((axis, dim) => ({
      ...axis,
      dim,
      id: `axis-${dim}`,
      axisLabel: { ...label, ...axis.axisLabel },
    })),
    visualMap: {
      min: low,
      max: high,
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
