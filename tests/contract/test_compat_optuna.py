"""Optuna 5.0.0 does without scikit-learn, and loads the evaluators at their first use: orchestrator/compat hides it."""

import subprocess
import sys

from tests.contract.written_against import against

OPTUNA = against("optuna", "5.0.0")
LOADED = """
import sys
from orchestrator.compat.optuna_importance import optuna_importance

found = optuna_importance()
print(found.__name__, hasattr(found, "PedAnovaImportanceEvaluator"), hasattr(found, "get_param_importances"))
print("sklearn" in sys.modules)
"""


def test_the_evaluators_are_loaded_without_scikit_learn() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["optuna.importance", "True", "True", "False"], f"{OPTUNA}\n{done.stderr}"
