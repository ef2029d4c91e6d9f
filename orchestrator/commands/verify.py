"""Check an exported student against its papers, and against the study that it comes from."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api import Study
from orchestrator.commands.common import add_changes, add_json, add_random_weights, load
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.exit_codes import FAILED
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable

if TYPE_CHECKING:
    from orchestrator.plan.trial import PlannedTrial
    from orchestrator.reports.verification import Check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that stillhouse export has written")
    parser.add_argument("study", metavar="STUDY", nargs="?", help="study that the student comes from, with its data")
    add_changes(parser)
    add_random_weights(parser)
    parser.add_argument(
        "--retrain", action="store_true",
        help="train the trial again, and its teacher, and compare all weights; needs STUDY",
    )  # fmt: skip
    parser.add_argument(
        "--within", metavar="POINTS", type=points,
        help="with --retrain: accept other weights when the AP differs by so many points at most, as on another kind of CPU "
        "without scaling.portable (default: all weights have to be equal to the bit)",
    )  # fmt: skip
    add_json(parser)


def points(text: str) -> float:
    """Return a number of AP points, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be from 0 to 100 points of AP, got {text}")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Print the checks; exit code 1 when one of them fails."""
    from orchestrator.reports.verification import check_folder

    if arguments.retrain and not arguments.study:
        raise UserError("--retrain trains the study again: name it, stillhouse verify DIR STUDY --retrain")
    if arguments.within is not None and not arguments.retrain:
        raise UserError("--within compares with a student that is trained again: add --retrain")
    checks = check_folder(arguments.folder)
    if arguments.study:
        checks += _with_study(arguments)
    _print(checks, arguments)
    return 0 if all(check.passed for check in checks) else FAILED


def _with_study(arguments: argparse.Namespace) -> "list[Check]":
    from orchestrator.core.store import Store
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.verification import check_study

    with tempfile.TemporaryDirectory(prefix="stillhouse-verify-") as folder:
        check, trial = check_study(arguments.folder, make_plan(load(arguments), Store(folder)))
        if trial is None or not arguments.retrain:
            return [check]
        return [check, _retrained(arguments, trial, Path(folder))]


def _retrained(arguments: argparse.Namespace, trial: "PlannedTrial", store: Path) -> "Check":
    """Train one trial: as a grid of one point, for a race or an open search would have to come to it first."""
    from orchestrator.reports.verification import check_retrained, measured
    from trainers.schema.record import BEST

    if trial.role == "student" and not trial.is_baseline:
        space = {key: [value] for key, value in trial.params.items()}
        search = {"space": space, "seeds": [trial.spec.seed], "baseline": False}
        arguments = argparse.Namespace(**{**vars(arguments), "sets": [*arguments.sets, f"search={json.dumps(search)}"]})
    study = Study(tuple(arguments.sets), arguments.trust_config, load(arguments))
    result = study.run(store, trials=(trial.id,), progress=True)
    [found] = [one for one in result if one.id == trial.id]
    if not found.is_finished:
        raise OperationError(f"trial {trial.id} did not finish: {result.reason(found)}")
    trained = result.store.trial_dir(trial.id) / BEST
    return check_retrained(arguments.folder, trained, measured(trial), arguments.within)


def _print(checks: "list[Check]", arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({check.name: {"passed": check.passed, "answer": check.answer} for check in checks})
        return
    for check in checks:
        print(printable(f"{check.name:<10} {'ok ' if check.passed else 'NO '} {check.answer}"))
