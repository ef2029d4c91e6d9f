// Choose how curves are drawn: smoothing, a logarithmic scale, and what they run along. The choice stands in the address.

import { choice } from "./choose.js";
import { h } from "./dom.js";
import { isNumber } from "./format.js";
import { points } from "./snapshot.js";

const SMOOTHING = [0, 0.3, 0.6, 0.9];
const ACROSS = [
  { id: "epoch", title: "epoch", curve: null },
  { id: "hours", title: "hours of training and evaluation", curve: "time/hours" },
  { id: "device_hours", title: "device-hours", curve: "time/device_hours" },
];

/** Return how curves are to be drawn, read from the address: {smooth, log, x}. */
export function lookOf(wish) {
  const smooth = Number(wish.smooth);
  return {
    smooth: smooth > 0 && smooth < 1 ? smooth : 0,
    log: wish.log === "yes",
    x: ACROSS.find(({ id }) => id === wish.x) ?? ACROSS[0],
  };
}

/** Return the controls for it, or some of them. */
export function lineControls(wish, wanted = ["smooth", "log", "x"]) {
  const { smooth, log, x } = lookOf(wish);
  const strengths = [...new Set([...SMOOTHING, smooth])].sort((a, b) => a - b);
  return h(
    "div",
    { class: "controls", id: "line-controls" },
    wanted.includes("smooth") && choice("smooth", "Smoothing", strengths.map((value) => [value === 0 ? "" : String(value), value === 0 ? "none" : String(value)]), smooth === 0 ? "" : String(smooth)),
    wanted.includes("log") && choice("log", "Scale", [["", "linear"], ["yes", "logarithmic"]], log ? "yes" : ""),
    wanted.includes("x") && choice("x", "Along", ACROSS.map(({ id, title }) => [id === "epoch" ? "" : id, title]), x.id === "epoch" ? "" : x.id),
  );
}

/** Return the points of a run's curve along the chosen quantity: the epoch, or the hours that it had taken by then. */
export function along(snapshot, run, metric, scale, { x }) {
  const data = points(snapshot.curve(run, metric), scale);
  if (!x.curve) return data;
  const hours = new Map(points(snapshot.curve(run, x.curve)));
  return data.map(([step, value]) => [at(hours, step), value]).filter(([place]) => place !== null);
}

/** Return the value at a step, between its neighbours where curves were thinned out; null outside. */
function at(curve, step) {
  if (curve.has(step)) return curve.get(step);
  const steps = [...curve.keys()];
  const next = steps.findIndex((other) => other > step);
  if (next <= 0) return null;
  const [before, after] = [steps[next - 1], steps[next]];
  return curve.get(before) + ((step - before) / (after - before)) * (curve.get(after) - curve.get(before));
}

/** Return an exponential moving average that begins at the first value; what is no number stays out. */
export function smoothed(data, strength) {
  let [mean, weight] = [0, 0];
  return data.map(([step, value]) => {
    if (!isNumber(value)) return [step, value];
    mean = strength * mean + (1 - strength) * value;
    weight = strength * weight + (1 - strength);
    return [step, mean / weight];
  });
}
