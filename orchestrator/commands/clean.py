"""List the unused trials of a store with their sizes; delete them with --yes.

Unused trials belong neither to a given nor to a recorded study. Leftovers of killed runs are listed too.
"""

import argparse
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_changes, add_json, add_random_weights, add_store, load, store_of
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.json_output import print_json
from orchestrator.core.store import Store
from orchestrator.study.wording import counted

if TYPE_CHECKING:
    from orchestrator.execution.leaks import Leak
    from orchestrator.execution.unused import Unused
    from orchestrator.plan.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("studies", metavar="STUDY", nargs="*", help="study files whose trials are kept")
    add_changes(parser)
    add_random_weights(parser)
    parser.add_argument(
        "--only-given", action="store_true",
        help="keep the trials of the given studies only, not those of other studies that were run in the store",
    )  # fmt: skip
    parser.add_argument(
        "--yes",
        action="store_true",
        help="delete the listed files and end the listed processes; without it nothing is touched",
    )
    add_store(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print unused trials and leftovers, biggest first, and delete them if the user says so."""
    from orchestrator.execution.leaks import clean, find_leaks
    from orchestrator.execution.unused import delete, leftovers, unused_states, unused_trials

    store = store_of(arguments)
    if not store.root.is_dir():
        raise UserError(f"there is no store at {store.root}: name one with --store")
    plans = given_plans(arguments, store)
    trials = unused_trials(store, kept_trials(arguments, store, plans))
    found, leaks = [*trials, *unused_states(plans, trials), *leftovers(store)], find_leaks(store)
    if arguments.yes:
        with store.only_run():  # no trial of the store is in training, and none starts
            delete(found, store)
        clean(leaks)
    show(arguments, store, found, leaks)
    return 0


def given_plans(arguments: argparse.Namespace, store: Store) -> "list[Plan]":
    """Return the plans of the given studies."""
    from orchestrator.plan.plan import make_plan

    studies = [argparse.Namespace(**vars(arguments), study=path) for path in arguments.studies]
    return [make_plan(load(one), store) for one in studies]


def kept_trials(arguments: argparse.Namespace, store: Store, plans: "list[Plan]") -> set[str]:
    """Return the trials that given or recorded studies need; raise ``UserError`` where nothing says so."""
    from orchestrator.plan.recorded_trials import recorded_trials

    given = {trial.id for plan in plans for trial in plan.trials}
    if arguments.only_given:
        require_known(plans)
        return given
    try:
        recorded = recorded_trials(store)
    except ValueError as error:
        raise OperationError(str(error)) from error
    in_mlflow = in_database(store)
    if not plans and recorded is None and in_mlflow is None and any(store.trials.glob("*")):
        raise UserError(f"nothing says which studies use the store {store.root}: name them, stillhouse clean STUDY...")
    return given | (recorded or set()) | (in_mlflow or set())


def require_known(plans: "list[Plan]") -> None:
    """Raise ``UserError`` unless the plans alone can decide: ids of trials stand for the content of files."""
    if not plans:
        raise UserError("--only-given needs at least one STUDY, or every trial would be deleted")
    for plan in plans:
        missing = [finding for finding in plan.findings if finding.level in ("missing", "error")]
        if missing:
            raise UserError(f"{plan.study.name}: which trials it has is not known here: {missing[0]}")


def in_database(store: Store) -> set[str] | None:
    """Return the trials of studies in the store's own database, which is loaded on demand."""
    if not store.database.exists():
        return None
    from orchestrator.tracking.members import trials_in_mlflow

    return trials_in_mlflow(store)


def show(arguments: argparse.Namespace, store: Store, found: "list[Unused]", leaks: "list[Leak]") -> None:
    """Print the unused trials and leftovers, and whether they are deleted."""
    from orchestrator.reports.fitting import TableColumn
    from orchestrator.reports.terminal_table import print_sentence, print_table

    total = sum(one.bytes for one in found)
    if arguments.json:
        rows = [{"name": one.name, "state": one.state, "bytes": one.bytes} for one in found]
        messages = [leak.message for leak in leaks]
        print_json({"unused": rows, "leaks": messages, "bytes": total, "deleted": arguments.yes})
        return
    columns = (TableColumn("size", right=True), TableColumn("name"), TableColumn("state", states=True))
    if found:
        print_table(columns, [(size(one.bytes), one.name, one.state) for one in found])
    for leak in leaks:
        print_sentence(leak.message)
    if found or leaks:
        done = "deleted" if arguments.yes else "nothing is deleted yet: --yes deletes it"
        print_sentence(f"{size(total)} in {counted(len(found) + len(leaks), 'place')}; {done}")
    else:
        print_sentence(f"nothing to clean in {store.root}")


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
