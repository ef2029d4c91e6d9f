"""Optuna 5.0.0 does without scikit-learn, and loads the evaluators at their first use: orchestrator/compat hides it."""

import subprocess
import sys
import warnings

import optuna

from orchestrator.compat.optuna_importance import optuna_importance, told_apart
from tests.contract.written_against import against

OPTUNA = against("optuna", "5.0.0")
LOADED = """
import sys
from orchestrator.compat.optuna_importance import optuna_importance

found = optuna_importance()
print(found.__name__, hasattr(found, "PedAnovaImportanceEvaluator"), hasattr(found, "get_param_importances"))
print("sklearn" in sys.modules)
"""


def test_created_trials_are_told_apart_so_that_the_best_are_not_all() -> None:
    distributions = {
        "x": optuna.distributions.FloatDistribution(0.0, 1.0),
        "y": optuna.distributions.FloatDistribution(0.0, 1.0),
    }
    created = [
        optuna.trial.create_trial(
            params={"x": n / 40, "y": n * 17 % 40 / 40}, distributions=dict(distributions), value=n / 40
        )
        for n in range(40)
    ]
    study = optuna.create_study(direction="maximize")
    found = told_apart(created)
    study.get_trials = lambda *_, **__: found  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        shares = optuna_importance().PedAnovaImportanceEvaluator().evaluate(study)
    assert shares["x"] > 3 * shares["y"], OPTUNA
    assert [trial.params for trial in found] == [trial.params for trial in created]


def test_the_evaluators_are_loaded_without_scikit_learn() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["optuna.importance", "True", "True", "False"], f"{OPTUNA}\n{done.stderr}"
