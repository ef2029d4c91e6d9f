// The chosen metric of several trials over epochs.

import { bestFirst } from "../choose.js";
import { h } from "../dom.js";
import { counted, isPrecision, shownValue, titleOf } from "../format.js";
import { change, list } from "../hash.js";
import { along, lineControls, lookOf } from "../line_controls.js";
import { lines } from "../lines.js";
import { nameAmong } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";

const MOST = 14; // lines that colours and dashes keep apart

export const view = {
  id: "curves",
  title: "Learning curves",
  group: "training",
  lede: "The chosen metric over epochs or hours.",
  curves: true,
  render(context) {
    const { snapshot, trials, metric, wish } = context;
    if (trials.length === 0) return filteredOut();
    const named = new Set(list(wish.trials));
    const students = trials.filter(({ role }) => role === "student");
    const wanted =
      named.size > 0 ? trials.filter(({ run }) => named.has(run)) : students.length > 0 ? students : trials;
    const drawn = bestFirst(context, wanted)
      .filter(({ run }) => snapshot.curve(run, metric))
      .slice(0, MOST);
    if (drawn.length === 0)
      return [back(named), empty(`No curve of ${titleOf(metric)}`, "None of these trials recorded it by epoch.")];
    const look = lookOf(wish);
    const name = nameAmong(snapshot, drawn);
    const curves = drawn.map((trial) => ({
      name: name(trial),
      data: along(snapshot, trial.run, metric, shownValue(metric, 1), look),
    }));
    const groups = new Set(drawn.map(({ run }) => snapshot.groupsOf(run)[0]?.id).filter(Boolean));
    const left = wanted.length - drawn.length;
    const note =
      left > 0 ? `The ${drawn.length} best of ${wanted.length} trials; filter to see others` : counted(drawn.length, "trial");
    return [
      back(named),
      groups.size > 1 && guard(groups.size),
      lineControls(wish),
      lines({
        id: "curves",
        title: titleOf(metric),
        note,
        curves,
        y: titleOf(metric),
        height: 440,
        decimals: isPrecision(metric) ? 2 : null,
        look,
      }),
    ];
  },
};

function guard(count) {
  return h(
    "p",
    { class: "notice", id: "guard" },
    `These trials belong to ${count} groups that differ in training or evaluation: ` +
      "a higher curve of one group is no better than a lower one of another.",
  );
}

function back(named) {
  return (
    named.size > 0 &&
    h(
      "p",
      { class: "controls" },
      h(
        "button",
        { type: "button", class: "quiet", id: "all-trials", onclick: () => change({ trials: null }) },
        "Show the curves of all trials",
      ),
    )
  );
}
