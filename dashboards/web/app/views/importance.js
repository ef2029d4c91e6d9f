// How much each searched setting matters for the result.

import { groupNames, groupsShown } from "../choose.js";
import { importanceChart } from "../importance_chart.js";
import { empty, filteredOut } from "../states.js";

export const view = {
  id: "importance",
  title: "Importance",
  group: "search",
  lede: "The influence of each searched setting on the result; the shares add up to one.",
  render(context) {
    const { snapshot } = context;
    if (context.trials.length === 0) return filteredOut();
    const groups = groupNames(groupsShown(context));
    const found = (snapshot.data.importance ?? []).filter((entry) => groups.has(entry.group));
    if (found.length === 0)
      return empty("Nothing was searched", "Give a study a search space of two settings or more.");
    const title = ({ method, group }) => `${method}, ${groups.get(group)}`;
    return found.map((entry, index) =>
      importanceChart(entry, title(entry), `importance-${index}`, snapshot.data.metric),
    );
  },
};
