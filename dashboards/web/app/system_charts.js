// Draw how much of its machines a trial used: shares of processors, memory and time, and images a second.

import { h } from "./dom.js";
import { lines } from "./lines.js";
import { ask } from "./load.js";
import { points } from "./snapshot.js";

const IMAGES = "system/images_per_second";
const SHARE = "_percentage";

/** Return a section with the charts of a run, which fills when they are there and is hidden where nothing was recorded. */
export function systemCharts(snapshot, run) {
  const place = h("section", { id: "system", hidden: true });
  metricsOf(snapshot, run)
    .then((found) => fill(place, found, run))
    .catch(() => {}); // a server of before: the rest of the page stands without it
  return place;
}

function metricsOf(snapshot, run) {
  if (!snapshot.data.live) return Promise.resolve(snapshot.data.system ?? null);
  return ask(`api/system?${new URLSearchParams({ run })}`);
}

function fill(place, found, run) {
  const curves = Object.hasOwn(found?.runs ?? {}, run) ? found.runs[run] : [];
  const named = curves.map(([metric, steps, values]) => ({
    key: found.metrics[metric],
    name: found.metric_names[found.metrics[metric]]?.title ?? found.metrics[metric],
    data: points({ steps: found.steps[steps] ?? [], values }),
  }));
  const shares = named.filter(({ key }) => key.endsWith(SHARE)).map((curve) => ({ ...curve, name: curve.name.replace(/, %$/, "") }));
  const images = named.filter(({ key }) => key === IMAGES);
  const charts = [
    shares.length > 0 && lines({ id: "system-use", title: "Use of its machines, percent", note: "mean of each epoch's training", curves: shares, y: "percent", low: 0, top: 100, height: 260, decimals: 1 }),
    images.length > 0 && lines({ id: "system-images", title: "Images a second", note: "of all its workers, evaluation left out", curves: images, y: "images a second", low: 0, height: 260 }),
  ].filter(Boolean);
  if (charts.length === 0) return;
  place.replaceChildren(h("h2", {}, "System"), h("div", { class: "pairs" }, charts));
  place.hidden = false;
}
