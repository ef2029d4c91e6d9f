// Look things up in a snapshot: trials by run, values by metric, curves, groups that may be ranked together.

import { isNumber, isPrecision, nameMetrics } from "./format.js";

/** Index a snapshot; it stays as it came, and missing parts count as empty. */
export class Snapshot {
  constructor(data) {
    this.data = data;
    this.metrics = data.metrics ?? [];
    nameMetrics(data.metric_names);
    this.trials = data.trials ?? [];
    this.studies = data.studies ?? [];
    this.older = data.older ?? [];
    this.versions = new Map();
    this.groups = data.groups ?? [];
    this.rows = data.rows ?? [];
    this.column = new Map(this.metrics.map((name, index) => [name, index]));
    this.byRun = new Map(this.trials.map((trial) => [trial.run, trial]));
    this.byStudy = new Map(this.studies.map((study) => [study.id, study]));
    this.paper = new Map((data.paper ?? []).map((cell) => [cell.id, cell]));
    this.groupsByRun = new Map();
    for (const group of this.groups) {
      for (const run of [...group.runs, ...group.baselines, ...group.teachers]) {
        this.groupsByRun.set(run, [...(this.groupsByRun.get(run) ?? []), group]);
      }
    }
    this.setHistories(data.histories);
  }

  setHistories(histories) {
    this.histories = histories ?? null;
    this.curves = new Map();
    for (const version of this.versions.values()) version.setHistories(histories);
  }

  /**
   * Return what holds a study: this snapshot, or one in which its trials are compared among themselves, because it is an
   * older version or because others are ranked together with them.
   */
  holding(id) {
    const version = this.olderVersion(id);
    const alone = this.data.alone?.[id];
    if (!version && !alone) return this;
    if (!this.versions.has(id)) {
      const { study, ...compared } = version ?? alone;
      const whole = { ...this.data, ...compared, older: [], alone: {}, histories: this.histories };
      this.versions.set(id, new Snapshot(version ? { ...whole, studies: [study] } : whole));
    }
    return this.versions.get(id);
  }

  /** Return an older version of a study, undefined for a present one. */
  olderVersion(id) {
    return this.older.find(({ study }) => study.id === id);
  }

  /** Return the older versions of a study, the newest first. */
  olderThan({ name, experiment }) {
    return this.older.map(({ study }) => study).filter((one) => one.name === name && one.experiment === experiment);
  }

  /** Return the trials of a study, those included that another study has trained. */
  trialsOf(study) {
    const runs = new Set(this.byStudy.get(study)?.runs ?? []);
    return this.trials.filter(({ run }) => runs.has(run));
  }

  /** Return the metrics that compare detectors; the others are losses and times. */
  get evaluations() {
    return this.metrics.filter(isPrecision);
  }

  /** Return one of a list of values in the order of `metrics`. */
  pick(values, metric) {
    const index = this.column.get(metric);
    return index === undefined || !values ? null : (values[index] ?? null);
  }

  best(trial, metric) {
    return this.pick(trial.best, metric);
  }

  last(trial, metric) {
    return this.pick(trial.last, metric);
  }

  /** Return all settings of a trial, those that it shares with its study too. */
  params(trial) {
    const found = { ...this.byStudy.get(trial.study)?.params, ...trial.params };
    return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null));
  }

  /** Return the groups in which a run stands: students trained alone and teachers may be in several. */
  groupsOf(run) {
    return this.groupsByRun.get(run) ?? [];
  }

  /** Return a run's curve of a metric as {steps, values}, or null. */
  curve(run, metric) {
    return this.curvesOf(run).get(metric) ?? null;
  }

  /** Return all curves of a run by metric. */
  curvesOf(run) {
    if (!this.curves.has(run)) this.curves.set(run, this.read(run));
    return this.curves.get(run);
  }

  read(run) {
    const { steps = [], runs = {} } = this.histories ?? {};
    return new Map(
      (Object.hasOwn(runs, run) ? runs[run] : []).map(([metric, index, values]) => [
        this.metrics[metric],
        { steps: steps[index] ?? [], values },
      ]),
    );
  }

  /** Return what tells two groups apart, in sentences. */
  difference(one, other) {
    return (
      (this.data.differences ?? []).find(({ a, b }) => (a === one && b === other) || (a === other && b === one)) ?? null
    );
  }
}

/** Return a trial's name as people tell it apart. */
export function nameOf(trial) {
  if (trial.role === "teacher") return trial.name || `teacher ${trial.student}`;
  const seed = trial.seed === null || trial.seed === undefined ? "" : `seed=${trial.seed}`;
  return [trial.method, trial.point, seed].filter(Boolean).join(" ") || trial.name || trial.run;
}

/** Return the same, marked where the trial is no result of its study: it enters no mean and is never ranked. */
export function markedName(trial) {
  if (trial.counts) return nameOf(trial);
  return `${nameOf(trial)} (${trial.status === "finished" ? trial.mark : trial.status})`;
}

/** Return how to name each of some trials: with its study where they are of several. */
export function nameAmong(snapshot, trials) {
  const several = new Set(trials.map(({ study }) => study)).size > 1;
  return (trial) => {
    const study = several ? snapshot.byStudy.get(trial.study)?.name : null;
    return study ? `${study}: ${markedName(trial)}` : markedName(trial);
  };
}

/** Return the settings that differ among trials, and have a value in two or more of them. */
export function varying(snapshot, trials) {
  const seen = new Map();
  for (const trial of trials) {
    for (const [key, value] of Object.entries(snapshot.params(trial))) {
      if (!seen.has(key)) seen.set(key, new Set());
      seen.get(key).add(value);
    }
  }
  return [...seen].filter(([, values]) => values.size > 1).map(([key]) => key);
}

/** Return the pairs of steps and finite values of a curve, scaled. */
export function points(curve, scale = 1) {
  if (!curve) return [];
  return curve.values.map((value, index) => [curve.steps[index], isNumber(value) ? value * scale : null]);
}
