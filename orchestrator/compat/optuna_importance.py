"""Import Optuna's importance evaluators without scikit-learn (written against Optuna 5.0.0)."""

import sys
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


def _loaded(module: Any) -> Any:
    """Load a module that Optuna loads at its first use."""
    module.PedAnovaImportanceEvaluator  # noqa: B018  the use
    return module
