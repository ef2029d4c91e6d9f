"""Import Optuna's importance evaluators without scikit-learn (written against Optuna 5.0.0)."""

import copy
import sys
from collections.abc import Sequence
from typing import Any

HIDDEN = "sklearn"


def optuna_importance() -> Any:
    """Return the module ``optuna.importance``.

    It imports scikit-learn for an evaluator that is not used here, where it is installed: a second, of the five that an
    export may take. Optuna does without it where it is not, so it is hidden for that moment.
    """
    import optuna

    if HIDDEN in sys.modules:
        return optuna.importance
    # None is Python's own mark for a module that is not there.
    sys.modules[HIDDEN] = None  # type: ignore[assignment]
    try:
        return _loaded(optuna.importance)
    finally:
        del sys.modules[HIDDEN]


def told_apart(trials: Sequence[Any]) -> list[Any]:
    """Return copies of Optuna's trials with ids of their own.

    Its evaluators tell trials apart by their ids; trials that were created outside of a study all have the same, and a draw
    with replacement has some trials several times. A study would give them ids, and copy all that they hold.
    """
    found = [copy.copy(trial) for trial in trials]
    for number, trial in enumerate(found):
        trial._trial_id = number
    return found


def _loaded(module: Any) -> Any:
    """Load a module that Optuna loads at its first use."""
    module.PedAnovaImportanceEvaluator  # noqa: B018  the use
    return module
