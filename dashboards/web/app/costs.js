// The costs of trials and detectors: their names, values and texts.

import { amount, hoursOf, isNumber, milliseconds, number } from "./format.js";

export const COSTS = [
  { id: "gpu_hours", title: "Device-hours", unit: "device-hours", text: number, of: ({ gpu_hours }) => gpu_hours },
  { id: "parameters", title: "Params", unit: "parameters", text: amount, of: ({ cost }) => cost?.parameters },
  { id: "macs", title: "MACs", unit: "multiply-adds of a forward", text: amount, of: ({ cost }) => cost?.macs },
  {
    id: "latency_ms",
    title: "Latency",
    unit: "milliseconds for one image on a CPU",
    text: milliseconds,
    of: ({ cost }) => cost?.latency_ms,
  },
];

/** Return the costs of some trials, their hours called by the devices that these were of. */
export function costsOf(trials) {
  const kinds = new Set(trials.map(({ on_gpu }) => on_gpu ?? null));
  const title = hoursOf(kinds.size === 1 ? [...kinds][0] : null);
  return COSTS.map((cost) => (cost.id === "gpu_hours" ? { ...cost, title, unit: title } : cost));
}

/** Return the costs of detectors that differ among some trials or rows. */
export function telling(items) {
  const differs = ({ of }) => new Set(items.map(of).filter(isNumber)).size > 1;
  return COSTS.filter(({ id }) => id !== "gpu_hours").filter(differs);
}
