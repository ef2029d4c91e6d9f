// Draw a chart with a caption, a description for those who can't see it, its numbers as a table, and files to take along.

import { h } from "./dom.js";
import { asCsv, saveAddress, saveText } from "./save.js";
import { table } from "./table.js";
import { colours } from "./theme.js";

const drawn = new Set();
const watcher = new ResizeObserver((entries) => entries.forEach(({ target }) => target.chart && target.fit()));
const SHARP = 2; // pixels of a saved picture for one of the page

/**
 * Return a figure. `options` is ECharts' option or a function of the colours and
 * the width in pixels that makes it; `numbers` returns
 * {columns, rows} for the table below the chart, made when it is opened; `csv` the
 * same where such a table stands beside the chart anyway. `onpick` gets what was clicked, `ondraw` ECharts'
 * chart after each drawing.
 */
export function chart({ id, title, note, options, numbers, csv = numbers, height = 360, onpick, ondraw }) {
  const place = h("div", { class: "chart", id, role: "img", "aria-label": note ? `${title}. ${note}` : title });
  place.style.height = `${height}px`;
  place.made = (shade, width) => styled(typeof options === "function" ? options(shade, width) : options, shade);
  place.draw = () => draw(place, onpick, ondraw);
  // What is laid out by the width is laid out again.
  const fits = () => options.length < 2 || place.drawnAt === place.clientWidth;
  place.fit = () => (fits() ? place.chart.resize() : place.draw());
  drawn.add(place);
  watcher.observe(place);
  requestAnimationFrame(() => place.isConnected && !place.chart && place.draw());
  return h(
    "figure",
    {},
    h("figcaption", {}, h("b", {}, title), note && h("span", { class: "note" }, note), tools(place, title, csv)),
    place,
    numbers && numberTable(id, title, numbers),
  );
}

/** Forget the charts of the view before. */
export function disposeCharts() {
  for (const place of drawn) {
    watcher.unobserve(place);
    place.chart?.dispose();
  }
  drawn.clear();
}

/** Draw all charts again, in the colours that now hold. */
export function redrawCharts() {
  for (const place of drawn) if (place.isConnected) place.draw();
}

/** Return a tooltip's content as elements: a heading and pairs of names and values. */
export function tip(heading, pairs) {
  return h(
    "div",
    { class: "tip" },
    h("b", {}, heading),
    h(
      "dl",
      {},
      pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

/** Return an axis in the page's style. */
export function axis(name, extra = {}) {
  const shade = colours();
  return {
    name,
    nameLocation: "middle",
    nameGap: 30,
    nameTextStyle: { color: shade.quiet },
    scale: true,
    axisLabel: { color: shade.quiet, hideOverlap: true },
    axisLine: { lineStyle: { color: shade.line } },
    splitLine: { lineStyle: { color: shade.line } },
    ...extra,
  };
}

function draw(place, onpick, ondraw) {
  place.chart?.dispose();
  place.chart = window.echarts.init(place, null, { renderer: "canvas" });
  place.drawnAt = place.clientWidth;
  place.chart.setOption(place.made(colours(), place.clientWidth));
  if (onpick) place.chart.on("click", onpick);
  ondraw?.(place.chart);
}

function styled(made, shade) {
  const base = style(shade);
  return {
    ...base,
    ...made,
    tooltip: { ...base.tooltip, ...made.tooltip },
    legend: made.legend ? { ...base.legend, ...made.legend } : { show: false },
  };
}

function style(shade) {
  return {
    animation: false,
    color: shade.series,
    backgroundColor: "transparent",
    textStyle: { fontFamily: "system-ui, sans-serif", color: shade.text },
    grid: { left: 56, right: 24, top: 40, bottom: 48 },
    tooltip: {
      confine: true,
      backgroundColor: shade.surface,
      borderColor: shade.line,
      textStyle: { color: shade.text },
    },
    legend: {
      type: "scroll",
      top: 0,
      textStyle: { color: shade.text },
      pageTextStyle: { color: shade.text },
      pageIconColor: shade.text,
      pageIconInactiveColor: shade.line,
    },
  };
}

/** Return the buttons that save a chart as a picture and its numbers as a table. */
function tools(place, title, csv) {
  const button = (kind, save) =>
    h(
      "button",
      { type: "button", class: "tool", "data-save": kind, "aria-label": `Save ${title} as ${kind}`, onclick: save },
      kind,
    );
  return h(
    "span",
    { class: "tools" },
    button("PNG", () => saveAddress(`${place.id}.png`, picture(place))),
    button("SVG", () => saveText(`${place.id}.svg`, drawing(place), "image/svg+xml")),
    csv &&
      button("CSV", () => {
        const { columns, rows } = csv();
        saveText(`${place.id}.csv`, asCsv(columns, rows), "text/csv");
      }),
  );
}

function picture(place) {
  return place.chart.getDataURL({ type: "png", pixelRatio: SHARP, backgroundColor: colours().surface });
}

/** Return the chart as SVG, drawn anew: the page draws on a canvas, which is faster for many points. */
function drawing(place) {
  const size = { width: place.clientWidth, height: place.clientHeight };
  const paper = window.echarts.init(null, null, { renderer: "svg", ssr: true, ...size });
  const shade = colours();
  paper.setOption({ ...place.made(shade, size.width), backgroundColor: shade.surface });
  const text = paper.renderToSVGString();
  paper.dispose();
  return text;
}

function numberTable(id, title, numbers) {
  const fill = ({ target }) => {
    if (target.open && target.childElementCount === 1) {
      const { columns, rows } = numbers();
      target.append(table({ id: `${id}-numbers`, caption: title, columns, rows }));
    }
  };
  return h(
    "details",
    { class: "numbers", id: `${id}-details`, ontoggle: fill },
    h("summary", {}, "Numbers as a table"),
  );
}
