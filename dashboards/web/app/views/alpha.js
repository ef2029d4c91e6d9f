// AP over (alpha1, alpha2), the paper's point marked.

import { choice, groupNames, groupsShown } from "../choose.js";
import { h } from "../dom.js";
import { heatMap } from "../heat_map.js";
import { empty, filteredOut } from "../states.js";

export const view = {
  id: "alpha",
  title: "Loss weights",
  group: "search",
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
      heatMap(grids[index], snapshot.data.metric, "alpha"),
    ];
  },
};
