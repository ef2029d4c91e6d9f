// AP over (alpha1, alpha2), the paper's point marked.

import { axis, chart, tip } from "../chart.js";
import { choice, groupNames, groupsShown } from "../choose.js";
import { h } from "../dom.js";
import { isNumber, metricText, number, shownValue, titleOf } from "../format.js";
import { empty, filteredOut } from "../states.js";

export const view = {
  id: "alpha",
  title: "Loss weights",
  lede: "The selection metric over alpha1 (classification) and alpha2 (localisation); a ring marks the paper's values.",
  render(context) {
    const { snapshot, runs, trials, wish } = context;
    if (trials.length === 0) return filteredOut();
    const grids = (snapshot.data.alpha ?? []).filter((grid) => grid.runs.flat(2).some((run) => runs.has(run)));
    if (grids.length === 0) {
      return empty(
        "No trial varies the weights",
        "Search ",
        h("code", {}, "method.alpha1"),
        " and ",
        h("code", {}, "method.alpha2"),
        " in a study.",
      );
    }
    const label = groupNames(groupsShown(context));
    if (grids.every(({ n }) => n.flat().every((count) => count === 0)))
      return empty("No trial is finished yet", "A cell is the mean over finished trials.");
    const index = grids[Number(wish.grid)] ? Number(wish.grid) : 0;
    const names = grids.map((grid, i) => [
      String(i),
      `${grid.method} on ${grid.student}, ${label.get(grid.group) ?? grid.group}`,
    ]);
    return [
      grids.length > 1 && h("div", { class: "controls" }, choice("grid", "Method and student", names, String(index))),
      heatMap(grids[index], snapshot.data.metric),
    ];
  },
};

function heatMap(grid, metric) {
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
    id: "alpha",
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
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const bright = (value) => high > low && (value - low) / (high - low) > 0.55;
  const category = (name, data, gap) =>
    axis(name, { type: "category", data: data.map(number), splitArea: { show: false }, nameGap: gap });
  return {
    grid: { left: 72, right: 24, top: 16, bottom: 112 },
    xAxis: category(grid.x, xs, 28),
    yAxis: category(grid.y, ys, 48),
    visualMap: {
      min: low,
      max: high === low ? low + 1e-6 : high,
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
