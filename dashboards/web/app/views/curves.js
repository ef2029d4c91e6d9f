// The chosen metric of several trials over epochs.

import { h } from "../dom.js";
import { isNumber, isPrecision, shownValue } from "../format.js";
import { change, list } from "../hash.js";
import { lines } from "../lines.js";
import { nameOf, points } from "../snapshot.js";
import { empty, filteredOut } from "../states.js";

const MOST = 14; // lines that colours and dashes keep apart

export const view = {
  id: "curves",
  title: "Learning curves",
  lede: "The chosen metric over epochs.",
  curves: true,
  render(context) {
    const { snapshot, trials, metric, wish } = context;
    if (trials.length === 0) return filteredOut();
    const named = new Set(list(wish.trials));
    const wanted = named.size > 0 ? trials.filter(({ run }) => named.has(run)) : trials;
    const drawn = best(context, wanted).filter(({ run }) => snapshot.curve(run, metric)).slice(0, MOST);
    if (drawn.length === 0) return [back(named), empty(`No curve of ${metric}`, "None of these trials recorded it by epoch.")];
    const curves = drawn.map((trial) => ({ name: nameOf(trial), data: points(snapshot.curve(trial.run, metric), shownValue(metric, 1)) }));
    const left = wanted.length - drawn.length;
    const note = left > 0 ? `The ${drawn.length} best of ${wanted.length} trials; filter to see others` : `${drawn.length} trials`;
    return [back(named), lines({ id: "curves", title: metric, note, curves, height: 440, decimals: isPrecision(metric) ? 2 : null })];
  },
};

function best({ snapshot, metric }, trials) {
  const value = (trial) => (isNumber(snapshot.best(trial, metric)) ? snapshot.best(trial, metric) : -Infinity);
  return [...trials].sort((a, b) => value(b) - value(a) || 0);
}

function back(named) {
  return named.size > 0 && h("p", { class: "controls" }, h("button", { type: "button", class: "quiet", id: "all-trials",
    onclick: () => change({ trials: null }) }, "Show the curves of all trials"));
}
