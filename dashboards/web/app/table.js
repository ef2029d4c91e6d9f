// Draw tables that sort by a click on a heading and scroll within themselves on a narrow page.

import { h } from "./dom.js";
import { change, settings } from "./hash.js";
import { counted, isNumber, NOTHING, number, short } from "./format.js";

const FIRST = 200; // rows drawn at once: more take longer than a reader's patience

/**
 * Return a table. A column is {key, title, text?(value, row), value?(row), node?(value, row), numeric?, whole?, hint?}.
 * `whole` keeps a cell on one line. `sorted` names the column to begin with, a minus before it for the largest first. `rowClass` returns a row's class,
 * `rowMark` its `data-row`.
 */
export function table({ id, caption, columns, rows, sorted = null, rowClass = null, rowMark = null, sortable = false }) {
  let wish = (sortable && settings()[`sort.${id}`]) || sorted;
  let limit = FIRST;
  const body = h("tbody");
  const heads = h("tr");
  const more = h("p", { class: "more" });
  const show = () => {
    const ordered = wish ? inOrder(rows, columns, wish) : rows;
    heads.replaceChildren(...columns.map((column) => head(column, wish, sortable, by)));
    body.replaceChildren(...ordered.slice(0, limit).map((row) => line(row, columns, rowClass, rowMark)));
    more.replaceChildren(...(ordered.length > limit ? [rest(ordered.length)] : []));
  };
  const by = (key) => {
    wish = wish === `-${key}` ? key : `-${key}`;
    change({ [`sort.${id}`]: wish }, { quietly: true });
    show();
    heads.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  };
  const rest = (all) =>
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          limit = Infinity;
          show();
        },
      },
      `Show all ${counted(all, "row")}`,
    );
  show();
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h("table", { id }, h("caption", { class: "unseen" }, caption), h("thead", {}, heads), body),
    ),
    more,
  );
}

function head(column, wish, sortable, by) {
  const current = wish?.replace(/^-/, "") === column.key;
  const order = current ? (wish.startsWith("-") ? "descending" : "ascending") : null;
  const label = sortable
    ? h(
        "button",
        { type: "button", class: "sort", "data-key": column.key, title: column.hint, onclick: () => by(column.key) },
        column.title,
        h("span", { "aria-hidden": "true" }, { descending: " ↓", ascending: " ↑" }[order] ?? ""),
      )
    : column.title;
  return h(
    "th",
    { scope: "col", class: column.numeric ? "number" : null, "aria-sort": order, title: column.hint },
    label,
  );
}

function line(row, columns, rowClass, rowMark) {
  return h(
    "tr",
    { class: rowClass?.(row), "data-row": rowMark?.(row) },
    columns.map((column) => {
      const value = read(column, row);
      const content = column.node ? column.node(value, row) : (column.text ?? plain)(value, row);
      return h("td", { class: column.numeric ? "number" : column.whole && "whole" }, content);
    }),
  );
}

function plain(value) {
  if (value === null || value === undefined || value === "") return NOTHING;
  return isNumber(value) ? number(value) : short(value);
}

function read(column, row) {
  return column.value ? column.value(row) : row[column.key];
}

function inOrder(rows, columns, wish) {
  const column = columns.find(({ key }) => key === wish.replace(/^-/, ""));
  if (!column) return rows;
  const sign = wish.startsWith("-") ? -1 : 1;
  const missing = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
  return [...rows].sort((one, other) => {
    const [a, b] = [read(column, one), read(column, other)];
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    return sign * (isNumber(a) && isNumber(b) ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  });
}
