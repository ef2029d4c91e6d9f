"""Compare what a disturbed study has left with what it should have left; a sentence for each difference."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from tests.e2e.stillhouse import histories

TEXTS = ("config.py", "outcome.json", "weights.json")
STUDENTS = ("best.pth", "last.pth")
OF_FAILURES = {"events.jsonl"}  # the timeline: it tells of the kills, and an undisturbed trial has none
Points = Counter[tuple[str, int, float]]


def store_differences(expected: Path, found: Path) -> list[str]:
    """Compare two stores: the same trials, files, metrics, outcomes and weights, to the last bit."""
    trials = sorted(path.name for path in expected.glob("trials/*"))
    if sorted(path.name for path in found.glob("trials/*")) != trials:
        return [f"{found} has other trials"]
    strange = sorted({path.name for path in found.iterdir()} - {path.name for path in expected.iterdir()})
    pairs = [(expected / "trials" / trial, found / "trials" / trial) for trial in trials]
    left = [f"{found / name} is left over" for name in strange]
    return [
        *left,
        *_history_differences(expected, found),
        *(line for pair in pairs for line in _trial_differences(*pair)),
    ]


def _history_differences(expected: Path, found: Path) -> Iterator[str]:
    wanted, here = histories(expected), histories(found)
    for trial, history in wanted.items():
        if json.dumps(here.get(trial)) != json.dumps(history):  # as text, for NaN is not equal to itself
            yield f"trial {trial} has another history"


def _trial_differences(expected: Path, found: Path) -> Iterator[str]:
    names = {path.name for path in expected.iterdir()}
    here = {path.name for path in found.iterdir()} - OF_FAILURES
    yield from (f"{found / name} is left over" for name in sorted(here - names))
    yield from (f"{found / name} is missing" for name in sorted(names - here))
    for name in filter(here.__contains__, TEXTS):
        if (expected / name).read_text() != (found / name).read_text():
            yield f"{found / name} has another text"
    for name in filter(here.__contains__, STUDENTS):
        if not _equal(_loaded(expected / name), _loaded(found / name)):
            yield f"{found / name} holds other weights"


def _loaded(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def _equal(one: Any, other: Any) -> bool:
    """Compare nested plain data and tensors to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and _bytes(one) == _bytes(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def tracking_differences(database: Path, store: Path) -> list[str]:
    """Compare MLflow's database with the store's histories: one run a trial, every point once, and no other."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        tagged = connection.execute(
            "select t.value, r.run_uuid, r.status from tags t join runs r on r.run_uuid = t.run_uuid"
            " where t.key = 'stillhouse.trial' and r.lifecycle_stage = 'active'"
        ).fetchall()
        rows = connection.execute(
            "select run_uuid, key, step, value, is_nan from metrics where key not like 'cost/%'"
        ).fetchall()
        active = connection.execute("select run_uuid, status from runs where lifecycle_stage = 'active'").fetchall()
    logged: dict[str, Points] = {run: Counter() for _, run, _ in tagged}
    for run, key, step, value, is_nan in rows:
        logged.setdefault(run, Counter())[key, step, float("nan") if is_nan else value] += 1
    return list(_run_differences(tagged, active, store)) + [
        f"trial {trial}: {sentence}"
        for trial, run, _ in tagged
        for sentence in _point_differences(store, trial, logged[run])
    ]


def _run_differences(tagged: list[Any], active: list[Any], store: Path) -> Iterator[str]:
    trials = sorted(path.name for path in store.glob("trials/*"))
    if sorted(trial for trial, _, _ in tagged) != trials:
        yield f"MLflow has runs of {sorted(trial for trial, _, _ in tagged)}, the store has {trials}"
    if len(active) != len(trials) + 1:
        yield f"MLflow has {len(active)} runs, not one for each of {len(trials)} trials and one for the study"
    yield from (f"run {run} is {status}" for run, status in active if status != "FINISHED")


def _point_differences(store: Path, trial: str, logged: Points) -> Iterator[str]:
    wanted = Counter(expected_points(store / "trials" / trial))
    places = Counter((key, step) for key, step, _ in logged.elements())
    yield from (f"{place} stands there {count} times" for place, count in places.items() if count > 1)
    yield from (f"{point} is missing" for point in sorted((wanted - logged).elements()))
    yield from (f"{point} is too much" for point in sorted((logged - wanted).elements()))


def expected_points(directory: Path) -> Iterator[tuple[str, int, float]]:
    """Yield (key, step, value) for all that a trial's history says, and for its best record under ``best/``."""
    found = [json.loads(line) for line in (directory / "history.jsonl").read_text().splitlines()]
    for record in found:
        parts = (record["metrics"], record["timing"], record.get("system", {}))
        for key, value in chain([("epoch", record["epoch"])], *(part.items() for part in parts)):
            yield key, record["epoch"], float(value)
    best = max(found, key=lambda record: record["metrics"]["coco/bbox_mAP"])  # of equals the first
    for key, value in {"epoch": best["epoch"], **best["metrics"]}.items():
        yield f"best/{key}", best["epoch"], float(value)
