// Draw a gain as a bar from zero with its interval, small enough for a cell of a table.

import { h, svg } from "./dom.js";
import { difference, isNumber, merit, NOTHING } from "./format.js";

const [WIDE, HIGH] = [120, 16]; // units of the drawing

/** Return the scale that some gains share, [lowest, highest], zero included; null without a gain. */
export function gainScale(gains) {
  const values = gains.flatMap(({ gain, interval }) => [gain, ...(interval ?? [])]).filter(isNumber);
  return values.length === 0 ? null : [Math.min(0, ...values), Math.max(0, ...values)];
}

/** Return whether an interval leaves the sign of its gain open; without an interval nobody knows it. */
export function isUndecided({ interval }) {
  return !(interval?.length === 2 && (interval[0] > 0 || interval[1] < 0));
}

/** Return a gain in points with its interval in words. */
export function gainText(metric, { gain, interval }) {
  if (!isNumber(gain)) return NOTHING;
  const text = difference(metric, gain);
  if (interval?.length !== 2) return text;
  const [low, high] = interval.map((end) => difference(metric, end));
  return `${text} (${low} to ${high})`;
}

/** Return the bar on a scale, of a gain in a metric: pale where the interval holds zero or is not known. */
export function gainBar({ gain, interval }, scale, metric) {
  if (!scale || !isNumber(gain) || scale[0] === scale[1]) return null;
  const at = (value) => 2 + ((WIDE - 4) * (value - scale[0])) / (scale[1] - scale[0]);
  const [zero, end] = [at(0), at(gain)];
  const middle = HIGH / 2;
  return h(
    "span",
    { class: `gain-bar ${isUndecided({ interval }) ? "open" : merit(metric, gain) < 0 ? "loss" : "won"}`, "aria-hidden": "true" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH },
      svg("rect", { x: Math.min(zero, end), y: 4, width: Math.max(1, Math.abs(end - zero)), height: HIGH - 8 }),
      interval?.length === 2 && svg("path", { class: "whisker", d: whisker(interval.map(at), middle) }),
      svg("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: HIGH }),
    ),
  );
}

function whisker([low, high], middle) {
  return `M${low} ${middle - 3}V${middle + 3}M${low} ${middle}H${high}M${high} ${middle - 3}V${middle + 3}`;
}
