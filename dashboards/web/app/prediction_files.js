// Bring what trials saw on images, and sort the images by how badly one does there.

import { artifactOf } from "./artifacts.js";
import { count } from "./boxes.js";

export const TAG = "stillhouse.predictions";
export const SCORE = 0.3; // the score above which boxes count where nobody chose one: the paper's middle one

/**
 * Return the first study with an index, and whose run keeps it: its own, or that of an older version of it. Only those
 * are asked whose trials say that they looked at images.
 */
export async function withIndex(snapshot, studies) {
  for (const study of studies) {
    if (!snapshot.trialsOf(study.id).some(({ tags }) => tags?.[TAG])) continue;
    for (const keeper of [study, ...snapshot.olderThan(study)]) {
      const index = await artifactOf(snapshot, keeper.id, "predictions/index.json");
      if (index?.images?.length > 0) return { study, keeper, index };
    }
  }
  return null;
}

/** Return the trials that looked at the images of an index, teachers first. */
export function lookedAt(snapshot, { study, index }) {
  const order = { teacher: 0, student: 1 };
  return snapshot
    .trialsOf(study.id)
    .filter((trial) => trial.tags?.[TAG] && Object.hasOwn(index.trials, trial.id))
    .map((trial) => ({ run: trial.run, name: index.trials[trial.id], role: trial.role, trial }))
    .sort((a, b) => order[a.role] - order[b.role]);
}

/** Return a trial's answers on all images of an index, by key; null for one that it was not asked about. */
export async function answersOf(snapshot, run, index) {
  const found = index.images.map(({ key }) => artifactOf(snapshot, run, `predictions/${key}.json`));
  const answers = await Promise.all(found);
  return new Map(index.images.map(({ key }, at) => [key, answers[at]]));
}

/** Return how many objects a trial missed and how many boxes were wrong. */
export function mistakes(picture, answer, score) {
  if (!answer) return null;
  const { wrong, missed } = count(picture, answer, score);
  return wrong + missed;
}
