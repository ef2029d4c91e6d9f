"""Write a store, a tracking database, a mirror, a queue and a search log as an earlier release does.

Run it in a checkout of that release: ``PYTHONPATH=CHECKOUT python make.py FOLDER [STORE_WITH_WEIGHTS]``.

What lies here was written by commit 484a324: fingerprints and manifests of format 1, states of format 2, a queue whose
studies hold their requests, no record of a store's studies, and a database of MLflow 3.17.2.
"""

import gzip
import shutil
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.search.suggestions import Suggestions
from orchestrator.service.queue import Queue
from orchestrator.storage.backend import StorageBackend
from orchestrator.storage.mirror import Mirror
from orchestrator.study.load import load_study
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.shipment import ship
from orchestrator.submit.states import SubmissionState
from orchestrator.tracking.tracker import Tracker
from trainers.loop.loop import train
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

STUDY, SEARCHED = (Path(__file__).with_name(name) for name in ("study.yaml", "searched.yaml"))


def main(folder: Path, whole: Path | None = None) -> None:
    """Finish the trial of seed 0, begin that of seed 1, and leave that of seed 2; ``whole`` gets the store with weights."""
    store = Store(folder / "store")
    store.root.mkdir(parents=True)
    plan = make_plan(load_study(STUDY), store)
    finished, begun, _ = plan.students
    for _ in train([plan.job(finished)]):
        pass
    next(iter(train([plan.job(begun)])))  # training ends with the generator
    tracker = Tracker(plan, store)
    for trial in (finished, begun):
        tracker.sync(trial)
    tracker.finish()
    if whole is not None:
        shutil.copytree(store.root, whole)
    for path in store.trials.glob(
        "*/*.p[ty]*"
    ):  # states and students are megabytes, and a config would be checked as code
        path.unlink()
    Mirror(StorageBackend((folder / "mirror").as_uri())).keep(finished.directory)
    write_queue(folder / "queue.db")
    begin_search(Store(folder / "searched"))
    for database in (store.database, folder / "queue.db"):
        pack(database, places=(folder, Path.cwd()))
    shutil.rmtree(store.artifacts)  # models and plain files, which MLflow keeps as they are


def begin_search(store: Store) -> None:
    """Ask for four points of a search; two of them end, with results on paper, and two are still open."""
    plan = make_plan(load_study(SEARCHED), store)
    suggestions = Suggestions(plan)
    for number, trial in enumerate(suggestions.ask(4)[:2]):
        trial.directory.mkdir(parents=True)
        (trial.directory / HISTORY).write_text(to_lines([Record(4, 40, {SELECTION_METRIC: 0.1 * number}, {}, 1.7e9)]))
        write_outcome(trial.directory, Outcome("finished"))
        suggestions.on_trial_complete(trial.id)


def write_queue(path: Path) -> None:
    """Accept two studies; the first one runs."""
    queue = Queue(path, 9)
    for key in ("stillhouse-0123456789ab", "stillhouse-ba9876543210"):
        queue.add(JobRequest(key, "earlier", ship(STUDY), "/shared/runs"))
    for state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING):
        queue.move(queue.entries()[0], state, "its turn has come")


def pack(database: Path, places: Iterable[Path]) -> None:
    """Replace a database by the statements that make it; ``places`` of the machine that runs this become /earlier."""
    with closing(sqlite3.connect(database)) as connection:
        statements = "\n".join(connection.iterdump())
    for place in places:
        statements = statements.replace(str(place), "/earlier")
    with gzip.GzipFile(f"{database}.sql.gz", "wb", mtime=0) as file:
        file.write(statements.encode())
    database.unlink()


if __name__ == "__main__":
    main(*(Path(name).absolute() for name in sys.argv[1:]))
