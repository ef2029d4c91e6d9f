// Choose the range of values that a scale of colours spans: no wider apart in colour than in meaning.

import { isNumber } from "./format.js";

const SPREADS = 4; // the range is as many spreads over seeds at least: less is chance
const UNKNOWN = 2; // points of AP that it is at least where no seed was repeated

/** Return the lowest and the highest value of the scale, around those that occur. */
export function colourRange(values, spreads, isPrecision) {
  const known = spreads.filter(isNumber);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const size = Math.max(Math.abs(low), Math.abs(high));
  const unknown = isPrecision ? UNKNOWN : 0.05 * size;
  const least = known.length > 0 ? SPREADS * Math.max(...known) : unknown;
  const wide = Math.max(high - low, least, 1e-6);
  const middle = (low + high) / 2;
  return [middle - wide / 2, middle + wide / 2];
}
