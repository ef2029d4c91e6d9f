"""Estimate how much each searched setting matters, by Optuna's PED-ANOVA."""

import math
import warnings
from collections.abc import Iterator, Sequence

from dashboards.numbers import number
from dashboards.run_record import RunRecord
from dashboards.schema import Importance
from dashboards.studies import NOT_SEARCHED, varying_settings
from orchestrator.compat.optuna_importance import optuna_importance
from orchestrator.results.comparability import Comparable, without_repeats

EVALUATOR = "PED-ANOVA (Optuna)"
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
    usable = [t for t in trials if t.score is not None and all(key in t.run.params for key in keys)]
    reason = _reason(usable)
    values = {} if reason else _ped_anova(usable, keys)
    total = math.fsum(values.values())
    if not reason and total <= 0:
        reason = "the best trials differ in no setting from the others"
    shares = {key: float(number(value / total) or 0.0) for key, value in values.items()} if total > 0 else {}
    return {
        "group": group,
        "method": method,
        "evaluator": EVALUATOR,
        "trials": len(usable),
        "values": dict(sorted(shares.items(), key=lambda item: -item[1])),
        "reason": reason,
    }


def _reason(trials: Sequence[RunRecord]) -> str:
    """Return why nothing can be estimated, empty when it can."""
    if len(trials) < FEWEST:
        return f"needs {FEWEST} trials with a result, there are {len(trials)}"
    return "all trials have the same result" if len({trial.score for trial in trials}) == 1 else ""


def _ped_anova(trials: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, float]:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions: dict[str, CategoricalDistribution | FloatDistribution] = {}
    columns: dict[str, list[float] | list[str]] = {}
    for key in keys:
        texts = [trial.run.params[key] for trial in trials]
        figures = _figures(texts)
        columns[key] = figures or texts
        distributions[key] = (
            FloatDistribution(min(figures), max(figures)) if figures else CategoricalDistribution(sorted(set(texts)))
        )
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(
            params={key: columns[key][index] for key in keys}, distributions=dict(distributions), value=trial.merit
        )
        for index, trial in enumerate(trials)
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", optuna.exceptions.ExperimentalWarning
        )  # its interface may change, the lock holds it
        importance = optuna_importance()
        evaluator = importance.PedAnovaImportanceEvaluator()
        return dict(importance.get_param_importances(study, evaluator=evaluator, normalize=False))


def _figures(texts: Sequence[str]) -> list[float]:
    """Return texts as finite numbers, nothing when one of them is none."""
    try:
        found = [float(text) for text in texts]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []
