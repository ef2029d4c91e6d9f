// Draw curves over epochs. Each line has a dash and a symbol of its own as well as a colour.

import { axis, chart } from "./chart.js";
import { isNumber, NOTHING, number } from "./format.js";
import { DASHES, SYMBOLS } from "./theme.js";

const MARKED = 60; // points up to which each one is marked
const LEGEND_LINES = 4;
const [LINE, ITEM, LETTER, MARGIN] = [20, 40, 7.2, 8]; // pixels of a legend: a line, a mark with its gaps, a letter, its sides

/**
 * Return a figure of lines. A line is {name, data: [[step, value], ...]} and may hold what ECharts knows of a series.
 * `decimals` fixes the digits of the numbers, which otherwise have three that matter; `top` is the highest value
 * that there can be, `low` the value at which the axis begins.
 */
export function lines({ id, title, note, curves, y = "", x = "epoch", height = 360, decimals = null, top = null, low = null }) {
  const text = (value) => (decimals === null || !isNumber(value) ? number(value) : value.toFixed(decimals));
  return chart({
    id,
    title,
    note,
    height,
    options: (shade, width) => ({
      xAxis: axis(x, { type: "value", minInterval: 1 }),
      yAxis: axis(y, { type: "value", nameGap: 40, max: top, min: low }),
      ...legendOf(curves, width),
      tooltip: { trigger: "axis", order: "valueDesc", valueFormatter: text },
      series: curves.map((curve, index) => ({ ...look(curve, index, shade), ...curve })),
    }),
    numbers: () => ({
      columns: [
        { key: "step", title: x, numeric: true },
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

/** Return a legend in as many lines as its names take, which scrolls where those are too many, and the room it leaves. */
function legendOf(curves, width) {
  const grid = { left: 60, right: 24, bottom: 48 };
  if (curves.length < 2) return { grid: { ...grid, top: 16 }, legend: { show: false } };
  const count = linesOf(
    curves.map(({ name }) => name),
    width,
  );
  const whole = count <= LEGEND_LINES;
  return {
    grid: { ...grid, top: 22 + LINE * (whole ? count : 1) },
    legend: whole ? { type: "plain", left: "center", width: width - 2 * MARGIN } : {},
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
