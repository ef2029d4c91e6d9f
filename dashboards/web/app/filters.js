// Choose what the views show: study, metric, methods, states and a text. The choice stands in the address.

import { h } from "./dom.js";
import { change, joined, list, settings } from "./hash.js";
import { counted, moment, short, titleOf } from "./format.js";
import { nameOf } from "./snapshot.js";

const FILTERS = ["study", "methods", "states", "q", "metric", "pinned"];
const HAYSTACK = new WeakMap();

/** Return what is shown: the study, the metric, and the trials that pass every filter. */
export function selection(snapshot) {
  const wish = settings();
  const study = snapshot.byStudy.has(wish.study) ? wish.study : null;
  const metric = snapshot.column.has(wish.metric) ? wish.metric : snapshot.data.metric;
  const methods = new Set(list(wish.methods));
  const states = new Set(list(wish.states));
  const words = (wish.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const ofStudy = study ? snapshot.trialsOf(study) : snapshot.trials;
  const trials = ofStudy.filter(
    (trial) =>
      (methods.size === 0 || methods.has(methodOf(trial))) &&
      (states.size === 0 || states.has(trial.status)) &&
      words.every((word) => haystack(trial).includes(word)) &&
      pinned(snapshot, wish.pinned, trial),
  );
  const runs = new Set(trials.map(({ run }) => run));
  return { study, metric, trials, ofStudy, runs, all: snapshot.trials.length };
}

/** Return the name under which a trial's method is filtered. */
export function methodOf(trial) {
  return trial.role === "teacher" ? "teacher" : trial.method || "unknown";
}

/** Draw the filters once; `update` brings choices and counts up to date without losing the reader's place. */
export function filterBar(form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  const study = select("filter-study", "Study", (value) => change({ study: value }));
  const metric = select("filter-metric", "Metric", (value) => change({ metric: value }));
  let boards = [];
  const pins = select("filter-pinned", "Pinned", (value) => {
    const board = boards.find(({ name }) => name === value);
    change({ pinned: value, metric: board?.metric, view: board?.view ?? settings().view });
  });
  const search = h("input", {
    id: "filter-q",
    type: "search",
    placeholder: "name, tag …",
    maxlength: "200",
    autocomplete: "off",
    oninput: ({ target }) => change({ q: target.value }),
  });
  const methods = chips("Method", "methods");
  const states = chips("State", "states");
  const count = h("p", { class: "count", id: "count", role: "status" });
  const reset = h(
    "button",
    {
      type: "button",
      class: "quiet",
      id: "filter-reset",
      onclick: () => change(Object.fromEntries(FILTERS.map((key) => [key, null]))),
    },
    "Clear filters",
  );
  const toggle = h(
    "button",
    { type: "button", class: "quiet", id: "filters-toggle", "aria-expanded": "false", onclick: () => unfold(form, toggle) },
    "Filters",
  );
  closeMenus(form);
  form.append(
    toggle,
    study.label,
    metric.label,
    pins.label,
    h("label", { class: "search" }, h("span", {}, "Search"), search),
    methods.field,
    states.field,
    count,
    reset,
  );
  return (snapshot, chosen) => {
    const wish = settings();
    study.fill([["", "all studies"], ...present(snapshot), ...older(snapshot)], chosen.study ?? "");
    metric.fill(
      metricsInOrder(snapshot).map((name) => [name, titleOf(name)]),
      chosen.metric,
    );
    boards = snapshot.data.dashboards ?? [];
    pins.label.hidden = boards.length === 0;
    pins.fill([["", "none"], ...boards.map(({ name, title }) => [name, title])], wish.pinned ?? "");
    if (document.activeElement !== search) search.value = wish.q ?? "";
    methods.fill(tally(chosen.ofStudy, methodOf), new Set(list(wish.methods)));
    states.fill(
      tally(chosen.ofStudy, ({ status }) => status),
      new Set(list(wish.states)),
    );
    const set = FILTERS.filter((key) => wish[key]).length;
    reset.hidden = set === 0;
    toggle.textContent = set === 0 ? "Filters" : `Filters (${set})`;
    count.textContent = `${counted(chosen.trials.length, "trial")} of ${chosen.all.toLocaleString("en")}`;
  };
}

function present({ studies }) {
  return studies.map(({ id, name }) => [id, name]);
}

/** Return the choices of earlier versions, named by when each was run last. */
function older(snapshot) {
  return snapshot.older.map(({ study }) => [study.id, `${study.name} as of ${moment(study.run_at)}`]);
}

function metricsInOrder(snapshot) {
  const first = new Set(snapshot.evaluations);
  return [...first, ...snapshot.metrics.filter((name) => !first.has(name))];
}

function select(id, title, chosen) {
  const box = h("select", { id, onchange: ({ target }) => chosen(target.value) });
  let drawn = "";
  const fill = (options, value) => {
    const text = JSON.stringify(options);
    if (text !== drawn) {
      drawn = text;
      box.replaceChildren(...options.map(([key, name]) => h("option", { value: key }, String(name).slice(0, 80))));
    }
    box.value = value ?? "";
  };
  return { label: h("label", {}, h("span", {}, title), box), fill };
}

/** Return a menu of check boxes; its summary names what is chosen. */
function chips(title, key) {
  const said = h("summary", {}, title);
  const boxes = h("fieldset", { class: "chips" }, h("legend", { class: "unseen" }, title));
  const field = h("details", { class: "menu", id: `filter-${key}` }, said, boxes);
  let drawn = "";
  const toggle = () =>
    change({ [key]: joined([...field.querySelectorAll("input:checked")].map(({ value }) => value)) });
  const fill = (counts, chosen) => {
    const text = JSON.stringify(counts);
    if (text !== drawn) {
      drawn = text;
      boxes.replaceChildren(
        boxes.firstChild,
        ...counts.map(([name, count]) =>
          h(
            "label",
            { class: "chip" },
            h("input", { type: "checkbox", value: name, onchange: toggle }),
            h("span", {}, `${name.slice(0, 40)} `, h("small", {}, count)),
          ),
        ),
      );
    }
    for (const box of field.querySelectorAll("input")) box.checked = chosen.has(box.value);
    said.replaceChildren(h("span", {}, `${title}: `), chosen.size === 0 ? "all" : short([...chosen].join(", "), 24));
  };
  return { field, fill };
}

/** Close open menus when something else is clicked, or by Escape. */
function closeMenus(form) {
  const open = () => [...form.querySelectorAll("details.menu[open]")];
  document.addEventListener("click", ({ target }) => {
    for (const menu of open()) if (!menu.contains(target)) menu.open = false;
  });
  form.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.firstElementChild.focus();
    }
  });
}

/** Show or hide the filters where a narrow page folds them away. */
function unfold(form, toggle) {
  const open = form.classList.toggle("open");
  toggle.setAttribute("aria-expanded", String(open));
}

function tally(trials, keyOf) {
  const counts = new Map();
  for (const trial of trials) counts.set(keyOf(trial), (counts.get(keyOf(trial)) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => one.localeCompare(other, "en"));
}

function haystack(trial) {
  if (!HAYSTACK.has(trial)) {
    const pairs = [trial.params, trial.tags].flatMap((of) =>
      Object.entries(of ?? {}).map(([key, value]) => `${key}=${value}`),
    );
    HAYSTACK.set(
      trial,
      [nameOf(trial), trial.name, trial.run, trial.id, trial.student, ...pairs].join("\n").toLowerCase(),
    );
  }
  return HAYSTACK.get(trial);
}

/** Return the pinned dashboard of a name, or null. */
export function boardOf(snapshot, name) {
  return (snapshot.data.dashboards ?? []).find((found) => found.name === name) ?? null;
}

function pinned(snapshot, name, trial) {
  const board = boardOf(snapshot, name);
  if (!board || board.baselines?.includes(methodOf(trial))) return true;
  const have = {
    method: methodOf(trial),
    role: trial.role,
    status: trial.status,
    student: trial.student,
    study: snapshot.byStudy.get(trial.study)?.name,
    ...trial.tags,
    ...snapshot.params(trial),
  };
  return Object.entries(board.filter ?? {}).every(([key, accepted]) => accepted.includes(have[key]));
}
