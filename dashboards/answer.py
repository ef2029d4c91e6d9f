"""Answer the first question about a study: did distillation help, how sure is that, and at which cost."""

from collections.abc import Sequence

from dashboards.curves import thinned
from dashboards.leaderboard import row_key
from dashboards.numbers import CURVE, number, numbers
from dashboards.run_record import RunRecord
from dashboards.schema import Answer, Number, Numbers
from orchestrator.results.comparability import comparable_groups
from orchestrator.results.gain import gain_sentence
from orchestrator.results.rows import Row, best_of, row_of

POINTS = 24  # of a curve that is as large as a word


def answer_of(trials: Sequence[RunRecord]) -> Answer | None:
    """Return the answer by a study's own trials, ``None`` until a student counts."""
    best = best_of(trials)
    ranked = row_of(best, comparable_groups(trials)) if best else None
    if ranked is None:
        return None
    row, seeds = ranked.row, sorted({trial.seed for trial in trials if trial.seed is not None})
    return {
        "sentence": gain_sentence(ranked, seeds or [0]),
        "row": row_key(row, ranked.group),
        "group": ranked.group,
        "kind": row.kind,
        "runs": [trial.run.run_id for trial in row.counted],
        "seeds": len(row.counted),
        "none_seeds": len(ranked.baseline.counted) if ranked.baseline else 0,
        "mean": _mean(row),
        "none": _mean(ranked.baseline),
        "teacher": _mean(ranked.teacher),
        "gain": number(ranked.gain),
        "gain_interval": numbers(ranked.gain_interval or ()),
        "gap_closed": number(ranked.gap_closed),
    }


def on_gpu(trials: Sequence[RunRecord]) -> bool | None:
    """Return whether all trials trained on GPUs, or none did; ``None`` where that is not known of some, or both occur."""
    found = {trial.run.on_gpu for trial in trials}
    return found.pop() if len(found) == 1 else None


def spark_of(best: RunRecord | None, trials: Sequence[RunRecord], metric: str) -> Numbers:
    """Return a small curve: of the best student, else of the trial that is furthest."""
    shown = best or max(trials, key=lambda trial: (len(trial.curves.get(metric, ())), trial.id), default=None)
    curve = shown.curves.get(metric, []) if shown else []
    return numbers((value for _, value in thinned(curve, POINTS)), CURVE)


def _mean(row: Row[RunRecord] | None) -> Number:
    return number(row.score.mean if row and row.score else None)
