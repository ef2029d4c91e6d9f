// How early the final order shows: what stopping at an epoch would have cost.

import { groupNames, groupsShown } from "../choose.js";
import { isNumber, titleOf } from "../format.js";
import { lines } from "../lines.js";
import { empty, filteredOut } from "../states.js";

const MOST = 7;

export const view = {
  id: "rungs",
  title: "Early stopping",
  group: "training",
  lede: "Spearman's rank correlation between the metric at an epoch and at the end. Near 1, stopping there loses little.",
  render(context) {
    const { snapshot } = context;
    if (context.trials.length === 0) return filteredOut();
    const label = groupNames(groupsShown(context));
    const found = (snapshot.data.rungs ?? []).filter((entry) => label.has(entry.group) && entry.rho.some(isNumber));
    if (found.length === 0)
      return empty("No order to compare yet", "It takes three trials that ran to the end under the same conditions.");
    const curves = found.slice(0, MOST).map((entry) => ({
      name: `${label.get(entry.group)} (n=${Math.max(...entry.n)})`,
      data: entry.epochs.map((epoch, index) => [epoch, isNumber(entry.rho[index]) ? entry.rho[index] : null]),
    }));
    const note = found.length > MOST ? `${MOST} of ${found.length} groups` : "finished trials of each group";
    return lines({
      id: "rungs",
      title: `Rank correlation with the final ${titleOf(snapshot.data.metric)}`,
      note,
      curves,
      y: "Spearman's ρ",
      height: 400,
      top: 1,
      low: ({ min }) => (min < 0 ? -1 : 0),
      decimals: 2,
    });
  },
};
