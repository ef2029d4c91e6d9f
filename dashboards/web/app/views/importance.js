// How much each searched setting matters for the result.

import { axis, chart } from "../chart.js";
import { groupNames, groupsShown } from "../choose.js";
import { h } from "../dom.js";
import { counted, titleOf } from "../format.js";
import { empty, filteredOut } from "../states.js";

export const view = {
  id: "importance",
  title: "Importance",
  lede: "The influence of each searched setting on the result; the shares add up to one.",
  render(context) {
    const { snapshot } = context;
    if (context.trials.length === 0) return filteredOut();
    const groups = groupNames(groupsShown(context));
    const found = (snapshot.data.importance ?? []).filter((entry) => groups.has(entry.group));
    if (found.length === 0)
      return empty("Nothing was searched", "Give a study a search space of two settings or more.");
    return found.map((entry, index) => figure(entry, groups.get(entry.group), index, snapshot.data.metric));
  },
};

function figure(entry, group, index, metric) {
  const title = `${entry.method}, ${group}`;
  const values = Object.entries(entry.values).sort(([, a], [, b]) => a - b);
  if (values.length === 0)
    return h("section", {}, h("h2", {}, title), h("p", { class: "note" }, entry.reason || "Not known."));
  return chart({
    id: `importance-${index}`,
    title,
    note: `For ${titleOf(metric)}: ${entry.evaluator}, ${counted(entry.trials, "trial")}`,
    height: 80 + 32 * values.length,
    options: () => ({
      grid: { left: 12, right: 56, top: 8, bottom: 44, containLabel: true },
      xAxis: axis("share", { type: "value", min: 0, scale: false }),
      yAxis: axis("", { type: "category", data: values.map(([key]) => key.slice(0, 40)) }),
      tooltip: { trigger: "item", valueFormatter: (value) => value.toFixed(3) },
      series: [
        {
          type: "bar",
          data: values.map(([, value]) => value),
          barMaxWidth: 20,
          label: { show: true, position: "right", color: "inherit", formatter: ({ value }) => value.toFixed(2) },
        },
      ],
    }),
    numbers: () => ({
      rows: values.map(([key, value]) => ({ key, value })).reverse(),
      columns: [
        { key: "key", title: "Setting" },
        { key: "value", title: "Share", numeric: true, text: (value) => value.toFixed(3) },
      ],
    }),
  });
}
