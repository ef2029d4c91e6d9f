"""Estimate how much each searched setting matters, by Optuna's PED-ANOVA."""

import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboards.numbers import number
from dashboards.run_record import RunRecord
from dashboards.schema import Importance
from dashboards.studies import NOT_SEARCHED, varying_settings
from orchestrator.compat.optuna_importance import optuna_importance, told_apart
from orchestrator.results.comparability import Comparable, without_repeats
from orchestrator.results.rank_correlation import spearman

EVALUATOR = "PED-ANOVA (Optuna)"
RESAMPLES = 20
FEWEST = 10  # trials: below, the best tenth of them is no sample


def importances(group: Comparable[RunRecord]) -> Iterator[Importance]:
    """Yield one estimate for each method of a group in which some setting varies.

    PED-ANOVA compares how a setting is distributed among the best tenth of trials with its distribution among all:
    a setting that the best trials agree on, and the others do not, matters.
    """
    by_method: dict[str, list[RunRecord]] = {}
    for trial in without_repeats(group.distilled):
        by_method.setdefault(trial.method, []).append(trial)
    for method, trials in by_method.items():
        keys = varying_settings(trial.run.params for trial in trials)
        searched = [key for key in keys if not key.startswith(NOT_SEARCHED)]
        if searched:
            yield _importance(group.id, method, trials, searched)


def _importance(group: str, method: str, trials: Sequence[RunRecord], keys: Sequence[str]) -> Importance:
    scored = [trial for trial in trials if trial.score is not None]
    usable = [trial for trial in scored if all(key in trial.run.params for key in keys)]
    reason = _reason(usable, len(scored))
    held = [] if reason else _optuna_trials(usable, keys)
    shares = _shares(_ped_anova(held, keys)) if held else {}
    if not reason and not shares:
        reason = "the best trials differ in no setting from the others"
    return {
        "group": group,
        "method": method,
        "evaluator": EVALUATOR,
        "trials": len(usable),
        "values": {key: _rounded(value) for key, value in sorted(shares.items(), key=lambda item: -item[1])},
        "ranges": _ranges(held, keys) if shares else {},
        "directions": _directions(usable, keys) if shares else {},
        "reason": reason,
    }


def _shares(values: Mapping[str, float]) -> dict[str, float]:
    """Return values as shares of their sum, nothing where that is 0."""
    total = math.fsum(values.values())
    return {key: value / total for key, value in values.items()} if total > 0 else {}


def _ranges(trials: Sequence[Any], keys: Sequence[str]) -> dict[str, list[float]]:
    """Return the 5th and the 95th percentile of each share over trials drawn again with replacement.

    The draws are the same at each look: a page that is read twice says the same twice.
    """
    chance = random.Random(0)
    draws = [chance.choices(trials, k=len(trials)) for _ in range(RESAMPLES)]
    found = [shares for draw in draws if (shares := _shares(_ped_anova(draw, keys)))]
    if len(found) < RESAMPLES // 2:
        return {}
    ordered = {key: sorted(shares[key] for shares in found) for key in keys}
    ends = (round(0.05 * (len(found) - 1)), round(0.95 * (len(found) - 1)))
    return {key: [_rounded(values[end]) for end in ends] for key, values in ordered.items()}


def _directions(trials: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, float]:
    """Return the rank correlation of each numerical setting with the result, better results being higher."""
    scores = [trial.merit or 0.0 for trial in trials]
    figures = {key: _figures([trial.run.params[key] for trial in trials]) for key in keys}
    found = {key: spearman(values, scores) for key, values in figures.items() if values}
    return {key: _rounded(rho) for key, rho in found.items() if rho is not None}


def _rounded(value: float) -> float:
    return float(number(value) or 0.0)


def _reason(trials: Sequence[RunRecord], scored: int) -> str:
    """Return why nothing can be estimated from the trials that have all settings, empty when it can.

    ``scored`` counts all trials with a result: some settings exist beside certain values of others only.
    """
    if len(trials) < FEWEST <= scored:
        return f"needs {FEWEST} trials that have all searched settings; of {scored} with a result {len(trials)} do"
    if len(trials) < FEWEST:
        return f"needs {FEWEST} trials with a result, there are {len(trials)}"
    return "all trials have the same result" if len({trial.score for trial in trials}) == 1 else ""


def _optuna_trials(trials: Sequence[RunRecord], keys: Sequence[str]) -> list[Any]:
    """Return trials as Optuna holds them: settings that are numbers as numbers, others as choices."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    distributions: dict[str, CategoricalDistribution | FloatDistribution] = {}
    columns: dict[str, list[float] | list[str]] = {}
    for key in keys:
        texts = [trial.run.params[key] for trial in trials]
        figures = _figures(texts)
        columns[key] = figures or texts
        distributions[key] = (
            FloatDistribution(min(figures), max(figures)) if figures else CategoricalDistribution(sorted(set(texts)))
        )
    return [
        optuna.trial.create_trial(
            params={key: columns[key][index] for key in keys}, distributions=dict(distributions), value=trial.merit
        )
        for index, trial in enumerate(trials)
    ]


def _ped_anova(trials: Sequence[Any], keys: Sequence[str]) -> dict[str, float]:
    """Return the importance of each setting by Optuna's trials, which its study hands out as they are: copies take long."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    found = told_apart(trials)
    study.get_trials = lambda *_, **__: found  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", optuna.exceptions.ExperimentalWarning
        )  # its interface may change, the lock holds it
        evaluator = optuna_importance().PedAnovaImportanceEvaluator()
        return dict(evaluator.evaluate(study, list(keys)))


def _figures(texts: Sequence[str]) -> list[float]:
    """Return texts as finite numbers, nothing when one of them is none."""
    try:
        found = [float(text) for text in texts]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []
