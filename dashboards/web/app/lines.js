// Draw curves over epochs. Each line has a dash and a symbol of its own as well as a colour.

import { axis, chart } from "./chart.js";
import { isNumber, NOTHING, number } from "./format.js";
import { DASHES, SYMBOLS } from "./theme.js";

const MARKED = 60; // points up to which each one is marked

/**
 * Return a figure of lines. A line is {name, data: [[step, value], ...]} and may hold what ECharts knows of a series.
 * `decimals` fixes the digits of the numbers, which otherwise have three that matter; `top` is the highest value
 * that there can be.
 */
export function lines({ id, title, note, curves, y = "", x = "epoch", height = 360, decimals = null, top = null }) {
  const text = (value) => (decimals === null || !isNumber(value) ? number(value) : value.toFixed(decimals));
  return chart({
    id,
    title,
    note,
    height,
    options: (shade) => ({
      xAxis: axis(x, { type: "value", minInterval: 1 }),
      yAxis: axis(y, { type: "value", nameGap: 40, max: top }),
      grid: { left: 60, right: 24, top: curves.length > 1 ? 40 : 16, bottom: 48 },
      legend: { show: curves.length > 1 },
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
