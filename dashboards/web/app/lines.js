// Draw curves over epochs or hours. Each line has a dash and a symbol of its own as well as a colour.

import { axis, chart } from "./chart.js";
import { isNumber, NOTHING, number } from "./format.js";
import { smoothed } from "./line_controls.js";
import { DASHES, SYMBOLS } from "./theme.js";

const MARKED = 60; // points up to which each one is marked
const LEGEND_LINES = 4;
const DIRECT = 7; // lines up to which each is named at its end
const [BROAD, LABEL, LETTERS] = [560, 208, 28]; // pixels from which there is room for such names, theirs, and their letters
const [FRAME, LINE_APART] = [64, 14]; // pixels of a chart beside its lines, and between two names that can be read
const [LINE, ITEM, LETTER, MARGIN] = [20, 40, 7.2, 8]; // pixels of a legend: a line, a mark with its gaps, a letter, its sides
const FAINT = 0.25; // opacity of the curve that a smoothed one is of

/**
 * Return a figure of lines. A line is {name, data: [[step, value], ...]} and may hold what ECharts knows of a series.
 * `decimals` fixes the digits of the numbers, which otherwise have three that matter; `top` is the highest value
 * that there can be, `low` the value at which the axis begins. `look` is what line_controls.js read from the address.
 */
export function lines({
  id, title, note, curves, y = "", x = "epoch", height = 360, decimals = null, top = null, low = null, look = {},
}) {
  const text = (value) => (decimals === null || !isNumber(value) ? number(value) : value.toFixed(decimals));
  const smooth = look.smooth ?? 0;
  const across = look.x?.title ?? x;
  return chart({
    id,
    title,
    note: [note, smooth > 0 && `smoothed by ${smooth}, recorded values faint`].filter(Boolean).join("; "),
    height,
    options: (shade, width) => ({
      xAxis: axis(across, { type: "value", ...(across === "epoch" ? { minInterval: 1 } : {}) }),
      yAxis: look.log ? axis(y, { type: "log", nameGap: 44 }) : axis(y, { type: "value", nameGap: 44, max: top, min: low }),
      ...legendOf(curves, width, isNamedDirectly(curves, width, height, look.log)),
      tooltip: { trigger: "axis", order: "valueDesc", valueFormatter: text },
      series: drawn(curves, smooth, look.log, isNamedDirectly(curves, width, height, look.log), shade),
    }),
    numbers: () => ({
      columns: [
        { key: "step", title: across, numeric: true },
        ...curves.map(({ name }, index) => ({
          key: `v${index}`,
          title: name,
          numeric: true,
          text: (value) => (isNumber(value) ? text(value) : NOTHING),
        })),
      ],
      rows: bySteps(curves),
    }),
  });
}

/** Return a series for each curve; a smoothed one comes with the recorded values behind it. */
function drawn(curves, smooth, log, named, shade) {
  return curves.flatMap((curve, index) => {
    const data = log ? curve.data.filter(([, value]) => value > 0) : curve.data; // a logarithm has no place for others
    const made = { ...look({ data }, index, shade), ...curve, data, ...(named ? endLabel(shade, index) : {}) };
    if (smooth <= 0) return [made];
    const behind = { ...made, name: `${curve.name} `, endLabel: { show: false }, silent: true, symbolSize: 0, tooltip: { show: false } };
    return [
      { ...behind, lineStyle: { ...made.lineStyle, width: 1, opacity: FAINT } },
      { ...made, data: smoothed(data, smooth), symbolSize: 0 },
    ];
  });
}

/** Tell whether each line is named at its end: where there is room, and the ends stand far enough apart to be read. */
function isNamedDirectly(curves, width, height, log) {
  if (curves.length < 2 || curves.length > DIRECT || width < BROAD) return false;
  const scale = (value) => (log ? Math.log(value) : value);
  const values = curves.flatMap(({ data }) => data.map(([, value]) => value)).filter((value) => isNumber(value) && (!log || value > 0));
  const ends = curves.map(({ data }) => data.findLast(([, value]) => isNumber(value))?.[1]).filter((value) => isNumber(value) && (!log || value > 0));
  const all = values.map(scale);
  const pixels = (height - FRAME) / (Math.max(...all) - Math.min(...all) || 1);
  const places = ends.map(scale).sort((a, b) => a - b);
  return places.every((place, index) => index === 0 || (place - places[index - 1]) * pixels >= LINE_APART);
}

function endLabel(shade, index) {
  const formatter = ({ seriesName }) =>
    seriesName.length > LETTERS ? `${seriesName.slice(0, LETTERS - 1)}…` : seriesName;
  return {
    endLabel: { show: true, formatter, color: shade.series[index % shade.series.length], distance: 6 },
  };
}

/** Return a legend in as many lines as its names take, which scrolls where those are too many, and the room it leaves. */
function legendOf(curves, width, named) {
  const grid = { left: 64, right: 24, bottom: 48 };
  if (curves.length < 2) return { grid: { ...grid, top: 16 }, legend: { show: false } };
  if (named) return { grid: { ...grid, top: 16, right: LABEL }, legend: { show: false } };
  const data = curves.map(({ name }) => name);
  const count = linesOf(data, width);
  const whole = count <= LEGEND_LINES;
  return {
    grid: { ...grid, top: 22 + LINE * (whole ? count : 1) },
    legend: { data, ...(whole ? { type: "plain", left: "center", width: width - 2 * MARGIN } : {}) },
  };
}

function linesOf(names, width) {
  let [count, used] = [1, 0];
  for (const name of names) {
    const wide = ITEM + LETTER * name.length;
    if (used > 0 && used + wide > width - 2 * MARGIN) [count, used] = [count + 1, 0];
    used += wide;
  }
  return count;
}

function look({ data }, index, shade) {
  const few = data.length <= MARKED;
  return {
    type: "line",
    connectNulls: true,
    symbolSize: few ? 5 : 0,
    symbol: SYMBOLS[index % SYMBOLS.length],
    color: shade.series[index % shade.series.length],
    emphasis: { focus: "series" },
    lineStyle: { type: DASHES[Math.floor(index / shade.series.length) % DASHES.length], width: 2 },
  };
}

function bySteps(curves) {
  const rows = new Map();
  curves.forEach(({ data }, index) =>
    data.forEach(([step, value]) => {
      rows.set(step, { ...rows.get(step), step, [`v${index}`]: value });
    }),
  );
  return [...rows.values()].sort((a, b) => a.step - b.step);
}
