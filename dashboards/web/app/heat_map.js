// Draw the selection metric over two weights, the paper's values ringed.

import { axis, chart, tip } from "./chart.js";
import { colourRange } from "./colour_range.js";
import { isNumber, isPrecision, metricText, number, shownValue, titleOf } from "./format.js";

/** Return the selection metric over the two weights of a grid, the paper's values ringed. */
export function heatMap(grid, metric, id) {
  const [xs, ys] = [positions(grid.xs, grid.paper?.[0]), positions(grid.ys, grid.paper?.[1])];
  const cells = grid.ys
    .flatMap((y, i) =>
      grid.xs.map((x, j) => ({
        x,
        y,
        mean: grid.mean[i][j],
        spread: grid.spread[i][j],
        n: grid.n[i][j],
        others: grid.others[i][j],
      })),
    )
    .filter(({ n, others }) => n > 0 || others > 0);
  const measured = cells.filter(({ mean }) => isNumber(mean));
  const paper = grid.paper
    ? `the paper's (${grid.paper.map(number).join(", ")}) ringed`
    : "the paper names no values for it";
  return chart({
    id,
    title: `${titleOf(metric)} over ${grid.x} and ${grid.y}`,
    note: `${grid.method} on ${grid.student}; ${paper}`,
    height: 136 + 48 * Math.max(ys.length, 4),
    options: (shade) => options(grid, measured, xs, ys, metric, shade),
    numbers: () => ({
      rows: cells,
      columns: [
        { key: "x", title: grid.x, numeric: true },
        { key: "y", title: grid.y, numeric: true },
        { key: "mean", title: titleOf(metric), numeric: true, text: (value) => metricText(metric, value, 2) },
        { key: "spread", title: "Spread", numeric: true, text: (value) => metricText(metric, value, 2) },
        { key: "n", title: "Seeds", numeric: true },
        { key: "others", title: "Not final", numeric: true },
      ],
    }),
  });
}

function positions(values, paper) {
  return [...new Set(isNumber(paper) ? [...values, paper] : values)].sort((a, b) => a - b);
}

function options(grid, cells, xs, ys, metric, shade) {
  const values = cells.map(({ mean }) => shownValue(metric, mean));
  const [low, high] = colourRange(values, cells.map(({ spread }) => shownValue(metric, spread)), isPrecision(metric));
  const bright = (value) => (value - low) / (high - low) > 0.55;
  const category = (name, data, gap) =>
    axis(name, { type: "category", data: data.map(number), splitArea: { show: false }, nameGap: gap });
  return {
    grid: { left: 72, right: 24, top: 16, bottom: 112 },
    xAxis: category(grid.x, xs, 28),
    yAxis: category(grid.y, ys, 48),
    visualMap: {
      min: low,
      max: high,
      calculable: true,
      orient: "horizontal",
      left: "center",
      bottom: 0,
      inRange: { color: shade.scale },
      textStyle: { color: shade.text },
      precision: 2,
      seriesIndex: 0,
    },
    tooltip: {
      formatter: ({ data }) =>
        data.cell
          ? tip(`${grid.x} ${data.cell.x}, ${grid.y} ${data.cell.y}`, [
              [titleOf(metric), metricText(metric, data.cell.mean, 2)],
              ["spread", metricText(metric, data.cell.spread, 2)],
              ["seeds", data.cell.n],
            ])
          : "",
    },
    series: [
      {
        type: "heatmap",
        data: cells.map((cell) => ({
          cell,
          value: [xs.indexOf(cell.x), ys.indexOf(cell.y), shownValue(metric, cell.mean)],
          label: {
            show: true,
            color: bright(shownValue(metric, cell.mean)) ? "#000" : "#fff",
            formatter: metricText(metric, cell.mean),
          },
        })),
      },
      {
        type: "scatter",
        symbol: "circle",
        symbolSize: 40,
        silent: true,
        data: grid.paper ? [[xs.indexOf(grid.paper[0]), ys.indexOf(grid.paper[1])]] : [],
        itemStyle: { color: "transparent", borderColor: "#d55e00", borderWidth: 3 },
      },
    ],
  };
}
