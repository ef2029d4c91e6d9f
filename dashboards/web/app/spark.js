// Draw a curve as small as a word.

import { h, svg } from "./dom.js";
import { isNumber } from "./format.js";

const [WIDE, HIGH] = [96, 24];

/** Return the curve of some values, null for fewer than two numbers; the table beside it says what it ends at. */
export function spark(values) {
  const found = (values ?? []).filter(isNumber);
  if (found.length < 2) return null;
  const [low, high] = [Math.min(...found), Math.max(...found)];
  const place = (value, index) => {
    const x = 2 + ((WIDE - 4) * index) / (found.length - 1);
    const y = high === low ? HIGH / 2 : HIGH - 3 - ((HIGH - 6) * (value - low)) / (high - low);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  return h(
    "span",
    { class: "spark", "aria-hidden": "true" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH },
      svg("polyline", { points: found.map(place).join(" ") }),
    ),
  );
}
