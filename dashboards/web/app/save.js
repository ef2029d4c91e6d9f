// Save what is shown as a file: pictures, drawings and tables.

import { h } from "./dom.js";
import { isNumber, NOTHING } from "./format.js";

/** Let the browser save an address (of data, never of another machine) under a name. */
export function saveAddress(name, address) {
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Let the browser save a text under a name. */
export function saveText(name, text, kind) {
  const address = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  saveAddress(name, address);
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Return a table as CSV, as the page writes it; numbers with a plain minus. */
export function asCsv(columns, rows) {
  const lines = rows.map((row) => columns.map((column) => field(column, row)));
  return [columns.map(({ title }) => quoted(title)), ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
}

function field(column, row) {
  const value = column.value ? column.value(row) : row[column.key];
  const text = column.text ? column.text(value, row) : isNumber(value) ? value : (value ?? "");
  const shown = String(text).replace("−", "-");
  if (shown === NOTHING) return "";
  // Spreadsheets take a text that begins so for a formula.
  const safe = /^[=+\-@\t\r]/.test(shown) && !Number.isFinite(Number(shown)) ? `'${shown}` : shown;
  return quoted(safe);
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : String(text);
}
