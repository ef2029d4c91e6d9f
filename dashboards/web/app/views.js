// The views, in the order of the menu.

import { view as overview } from "./views/overview.js";
import { view as leaderboard } from "./views/leaderboard.js";
import { view as compare } from "./views/compare.js";
import { view as curves } from "./views/curves.js";
import { view as terms } from "./views/terms.js";
import { view as phases } from "./views/phases.js";
import { view as alpha } from "./views/alpha.js";
import { view as parallel } from "./views/parallel.js";
import { view as importance } from "./views/importance.js";
import { view as cost } from "./views/cost.js";
import { view as rungs } from "./views/rungs.js";
import { view as classes } from "./views/classes.js";
import { view as predictions } from "./views/predictions.js";
import { view as failures } from "./views/failures.js";

export const VIEWS = [
  overview,
  leaderboard,
  compare,
  curves,
  terms,
  phases,
  alpha,
  parallel,
  importance,
  cost,
  rungs,
  classes,
  predictions,
  failures,
];
