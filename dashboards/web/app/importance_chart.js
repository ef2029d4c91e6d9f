// Draw how much each searched setting matters, how sure that is, and which way it works.

import { axis, chart, tip } from "./chart.js";
import { h } from "./dom.js";
import { counted, isNumber, NOTHING, short, titleOf } from "./format.js";

const [CLEAR, HALF] = [0.3, 4]; // a rank correlation that has a direction; half the height of a whisker's end
const LETTER = 7.2; // pixels of a letter
const share = (value) => (isNumber(value) ? value.toFixed(2) : NOTHING);

/** Return the chart of one estimate, or the reason for which there is none. */
export function importanceChart(entry, title, id, metric) {
  const rows = Object.entries(entry.values)
    .map(([key, value]) => ({ key, value, range: entry.ranges?.[key] ?? [], rho: entry.directions?.[key] ?? null }))
    .sort((a, b) => a.value - b.value);
  if (rows.length === 0)
    return h("section", {}, h("h2", {}, title), h("p", { class: "note" }, entry.reason || "Not known."));
  return chart({
    id,
    title,
    note: `For ${titleOf(metric)}: ${entry.evaluator}, ${counted(entry.trials, "trial")}; whiskers: 90 % of resampled trials`,
    height: 84 + 34 * rows.length,
    options: (shade) => options(rows, shade),
    numbers: () => ({
      rows: [...rows].reverse(),
      columns: [
        { key: "key", title: "Setting" },
        { key: "value", title: "Share", numeric: true, text: (value) => value.toFixed(3) },
        { key: "low", title: "5 %", numeric: true, value: ({ range }) => range[0], text: share },
        { key: "high", title: "95 %", numeric: true, value: ({ range }) => range[1], text: share },
        { key: "rho", title: "Direction (Spearman's ρ)", numeric: true, text: share },
        { key: "means", title: "So", value: ({ rho }) => direction(rho) },
      ],
    }),
  });
}

function nameOf(key) {
  return short(key.replace(/^method\./, ""), 30);
}

function direction(rho) {
  if (!isNumber(rho)) return "no order";
  return Math.abs(rho) < CLEAR ? "no clear direction" : rho > 0 ? "larger is better" : "smaller is better";
}

function options(rows, shade) {
  const arrow = (rho) => (isNumber(rho) && Math.abs(rho) >= CLEAR ? (rho > 0 ? " ↑" : " ↓") : "");
  return {
    grid: { left: 16 + LETTER * Math.max(...rows.map(({ key, rho }) => (nameOf(key) + arrow(rho)).length)), right: 24, top: 8, bottom: 44 },
    xAxis: axis("share of the influence", { type: "value", min: 0, scale: false }),
    yAxis: axis("", { type: "category", data: rows.map(({ key, rho }) => nameOf(key) + arrow(rho)) }),
    tooltip: {
      trigger: "item",
      formatter: ({ dataIndex }) => {
        const { key, value, range, rho } = rows[dataIndex];
        return tip(key, [["share", share(value)], ["5 to 95 %", range.map(share).join(" to ") || NOTHING], ["direction", direction(rho)]]);
      },
    },
    series: [
      { type: "bar", data: rows.map(({ value }) => value), barMaxWidth: 20, color: shade.series[0] },
      { type: "custom", silent: true, data: rows.map(({ range }, at) => [at, ...range]), renderItem: (_, api) => whisker(api, shade), z: 3 },
    ],
  };
}

function whisker(api, shade) {
  const [low, high] = [1, 2].map((place) => api.coord([api.value(place), api.value(0)]));
  if (!low.concat(high).every(Number.isFinite)) return null;
  const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: shade.mark, lineWidth: 1.5 } });
  return {
    type: "group",
    children: [
      line(low[0], low[1], high[0], high[1]),
      line(low[0], low[1] - HALF, low[0], low[1] + HALF),
      line(high[0], high[1] - HALF, high[0], high[1] + HALF),
    ],
  };
}
