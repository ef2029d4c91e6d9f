// Put the page together: snapshot, filters, one view at a time.

import { forgetArtifacts } from "./artifacts.js";
import { disposeCharts, redrawCharts } from "./chart.js";
import { h } from "./dom.js";
import { filterBar, selection } from "./filters.js";
import { moment } from "./format.js";
import { keepAge, lastUpdated } from "./last_updated.js";
import { linkTo, onChange, settings } from "./hash.js";
import { ask, askCurves, askWithAge, embedded, follow } from "./load.js";
import { Snapshot } from "./snapshot.js";
import { failed, waiting } from "./states.js";
import { startTheme } from "./theme.js";
import { VIEWS } from "./views.js";

// A view names its group; one of another package that names none stands in the last.
const GROUPS = [
  ["results", "Results"],
  ["training", "Training"],
  ["search", "Settings"],
  ["faults", "Where it fails"],
];
const RENEWED_S = 15; // older numbers are being renewed by the server: it reads them anew when somebody asks
const ADDRESSES = { snapshot: "api/snapshot", histories: "api/histories" };
const content = document.getElementById("content");
const filters = filterBar(document.getElementById("filters"));
const links = document.getElementById("views");
let snapshot = null;
let asked = null; // the revision whose histories were asked for

start();

async function start() {
  onChange(show);
  startTheme(document.getElementById("theme"), redrawCharts);
  const kept = embedded();
  const news = kept ? null : follow(newer, arrived, (error) => lastUpdated(snapshot, error));
  let soon = false;
  try {
    const { data, age } = kept ? { data: kept, age: null } : await askWithAge(ADDRESSES.snapshot);
    soon = await arrived(data, age);
  } catch (error) {
    content.replaceChildren(failed("The tracking store could not be read", error.message));
    document.getElementById("filters").hidden = true;
  }
  if (!news) return;
  keepAge();
  if (soon) news.soon();
  else news.later();
}

/** Show what the server answered; return whether it is old, so that newer numbers are on their way. */
async function arrived(data, age) {
  if (!data.unchanged) {
    const next = new Snapshot(data);
    if (snapshot?.histories && current().curves) {
      next.setHistories(await askCurves(ADDRESSES.histories, data.revision)); // first, so that the view does not flicker
    }
    snapshot = next;
    asked = null;
    forgetArtifacts();
    document.getElementById("filters").hidden = false;
    show();
  }
  snapshot.data.generated_at = data.generated_at;
  lastUpdated(snapshot, null, age);
  return age !== null && age > RENEWED_S;
}

function newer() {
  return snapshot
    ? `${ADDRESSES.snapshot}?${new URLSearchParams({ since: snapshot.data.revision })}`
    : ADDRESSES.snapshot;
}

function current() {
  return VIEWS.find(({ id }) => id === settings().view) ?? VIEWS[0];
}

function show() {
  if (!snapshot) return;
  const wish = settings();
  const view = current();
  const held = snapshot.holding(wish.study);
  const chosen = selection(held);
  filters(snapshot, chosen);
  document.title = `${view.title} · Stillhouse`;
  const waits = curvesOf(view, { snapshot: held, ...chosen, wish });
  if (waits && !snapshot.histories) bringCurves(waits);
  keepingPlace(content.dataset.view === view.id, () => {
    disposeCharts();
    navigation(view);
    const title = view.heading?.({ snapshot: held, ...chosen, wish }) ?? view.title;
    const heading = [h("h1", {}, title), h("p", { class: "lede" }, view.lede), earlier(wish.study)].filter(Boolean);
    content.replaceChildren(...heading, ...body(view, held, chosen, wish));
  });
  content.dataset.view = view.id;
}

/** Say that what is shown is an older version of a study, and lead to the present one. */
function earlier(id) {
  const study = snapshot.olderVersion(id)?.study;
  if (!study) return null;
  const present = snapshot.studies.find(({ name, experiment }) => name === study.name && experiment === study.experiment);
  return h(
    "p",
    { class: "notice", id: "older" },
    `This is ${study.name} as it was run until ${moment(study.run_at)}. It has been run with other trials since: `,
    h("a", { href: linkTo({ study: present?.id }) }, "show the present version"),
    ".",
  );
}

/** Return whether a view needs the curves: true where it waits for them, "later" where it draws the rest before. */
function curvesOf({ curves }, context) {
  return typeof curves === "function" ? curves(context) : curves;
}

function body(view, held, chosen, wish) {
  if (curvesOf(view, { snapshot: held, ...chosen }) === true && !snapshot.histories) return [waiting("Reading the curves …")];
  try {
    return [view.render({ snapshot: held, ...chosen, wish })].flat().filter(Boolean);
  } catch (error) {
    console.error(error);
    return [failed("This view could not be drawn", String(error.message))];
  }
}

/** Bring the curves once for each revision; the other views do not wait for them. */
async function bringCurves(waits) {
  const revision = snapshot.data.revision;
  if (asked === revision) return;
  asked = revision;
  try {
    const curves = await askCurves(ADDRESSES.histories, revision);
    if (snapshot.data.revision !== revision) return;
    if (!curves) {
      await arrived(await ask(ADDRESSES.snapshot), null);
      return;
    }
    snapshot.setHistories(curves);
    show();
  } catch (error) {
    if (waits === true) content.replaceChildren(failed("The curves could not be read", error.message));
    asked = null;
  }
}

function navigation(current) {
  const last = GROUPS.at(-1)[0];
  const known = new Set(GROUPS.map(([id]) => id));
  const groupOf = ({ group }) => (known.has(group) ? group : last);
  links.replaceChildren(
    h(
      "ul",
      {},
      GROUPS.map(([id, title]) =>
        h(
          "li",
          { class: "group-of-views" },
          h("span", { class: "group-title", id: `group-${id}` }, title),
          h(
            "ul",
            { "aria-labelledby": `group-${id}` },
            VIEWS.filter((view) => groupOf(view) === id).map((view) => h("li", {}, linkOf(view, current))),
          ),
        ),
      ),
    ),
  );
  bringIntoSight(links.querySelector("[aria-current]"));
}

function linkOf({ id, title }, current) {
  return h(
    "a",
    { href: linkTo({ view: id }), id: `view-${id}`, "aria-current": id === current.id ? "page" : null },
    title,
  );
}

/** Scroll the row of views, as a phone shows it, to the present one. */
function bringIntoSight(link) {
  const row = links.firstElementChild;
  if (link && row.scrollWidth > row.clientWidth)
    row.scrollLeft = link.getBoundingClientRect().left - row.getBoundingClientRect().left + row.scrollLeft - row.clientWidth / 3;
}

/** Draw anew and give the focus back to the control of the same id; within a view, what was unfolded stays so. */
function keepingPlace(same, draw) {
  const focused = document.activeElement?.id;
  const unfolded = same ? [...content.querySelectorAll("details[open][id]")].map(({ id }) => id) : [];
  const height = scrollY;
  draw();
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  if (same) scrollTo(scrollX, height);
  if (focused && document.activeElement?.id !== focused)
    document.getElementById(focused)?.focus({ preventScroll: true });
}
