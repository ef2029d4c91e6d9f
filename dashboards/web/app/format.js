// Write numbers, times and settings as people read them.

export const NOTHING = "–";
const LONGEST = 120;
const SIZES = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
const AGES = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];
let names = new Map(); // of metrics: {title, meaning, percent}, as the snapshot brings them

/** Tell whether a value is a finite number; NaN and infinities arrive as null or as text. */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** Tell whether a text is a finite number. */
export function isNumeric(value) {
  return typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
}

/** Return a metric's value; average precisions are fractions in the store and percent on the page. */
export function metricText(key, value, digits = 1) {
  if (!isNumber(value)) return value === null || value === undefined ? NOTHING : short(value);
  return isPrecision(key) ? (100 * value).toFixed(digits) : number(value);
}

/** Take the names of metrics from a snapshot. */
export function nameMetrics(found) {
  names = new Map(Object.entries(found ?? {}));
}

/** Return a metric's title, as every table and report of Stillhouse calls it; its key where it has none. */
export function titleOf(key) {
  return names.get(key)?.title ?? key;
}

/** Return what a metric measures, and its key in MLflow. */
export function meaningOf(key) {
  return [names.get(key)?.meaning, key].filter(Boolean).join("; ");
}

/** Tell whether a metric is an average precision, kept as a fraction and shown in percent. */
export function isPrecision(key) {
  return names.get(key)?.percent ?? false;
}

/** Return a number that is higher for a better value of a metric: of a loss it has the other sign. */
export function merit(key, value) {
  return isNumber(value) && names.get(key)?.falls ? -value : value;
}

/** Return the difference of two values of a metric with its sign, average precisions in points. */
export function difference(key, value) {
  return signed(shownValue(key, value), isPrecision(key) ? 1 : 4);
}

/** Return a metric's value on the scale that the page shows. */
export function shownValue(key, value) {
  return isNumber(value) && isPrecision(key) ? 100 * value : value;
}

/** Return a difference with its sign. */
export function signed(value, digits = 1) {
  if (!isNumber(value)) return NOTHING;
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? `±${text}` : `${value < 0 ? "−" : "+"}${text}`;
}

/** Return any number with three significant digits. */
export function number(value) {
  if (!isNumber(value)) return NOTHING;
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** Return a count with three digits and its thousands as a letter, as tables of Stillhouse write it. */
export function amount(value) {
  if (!isNumber(value)) return NOTHING;
  const [size, letter] = SIZES.find(([least]) => value >= 0.9995 * least) ?? [1, ""];
  return letter ? `${digits(value / size)} ${letter}` : value.toFixed(0);
}

function digits(value) {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

/** Return milliseconds with three digits. */
export function milliseconds(value) {
  return isNumber(value) ? `${digits(value)} ms` : NOTHING;
}

/** Return a duration in the two largest units. */
export function duration(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Return a moment, given in seconds since 1970 or as ISO text, in the reader's own time zone. */
export function moment(when) {
  const date = typeof when === "number" ? new Date(1000 * when) : new Date(when ?? NaN);
  if (Number.isNaN(date.getTime())) return NOTHING;
  const two = (value) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Return how long ago something was, in its largest unit. */
export function ago(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  const [size, unit] = AGES.find(([least]) => seconds >= least) ?? AGES.at(-1);
  return seconds < 5 ? "just now" : `${counted(Math.round(seconds / size), unit)} ago`;
}

/** Return the name of hours: of GPUs, of processors, or of both where that is not known. */
export function hoursOf(onGpu) {
  return onGpu === true ? "GPU-hours" : onGpu === false ? "CPU worker-hours" : "Device-hours";
}

/** Return text that fits a cell; what is cut off is marked. */
export function short(value, longest = LONGEST) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? NOTHING);
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** Return a count with its noun. */
export function counted(count, noun, plural = `${noun}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}
