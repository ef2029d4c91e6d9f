"""Several runs train one study in one store: killed, stopped and continued, they come to the numbers of one run."""

import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.processes import descendants
from tests.e2e.stillhouse import COMMAND, ROOT, deterministic, stillhouse
from trainers.schema.record import read_history

STUDY = """
name: shared
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 4, batch_size: 4, lr: 0.002, optimizer: {kind: adamw}, policy: {kind: constant}}
search: {seeds: [0, 1, 2, 3]}
scaling: {max_concurrent: 1, cpus_per_worker: 1}
"""
TIMEOUT_S = 900.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "study.yaml").write_text(STUDY)
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """Return the results of one run."""
    done = stillhouse("run", folder / "study.yaml", "--store", folder / "alone", "--json")
    assert done.code == 0, done.err
    return deterministic(done.json["trials"])


class Jobs:
    """Start and disturb runs that share a store; whatever is left of them is killed at the end."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.study, self.store = folder / "study.yaml", store
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        words = [*COMMAND, "run", str(self.study), "--share", "--store", str(self.store), "--json"]
        log = (self.store.parent / f"{self.store.name}-{len(self.started)}.log").open("w")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "STILLHOUSE_LEASE_TIMEOUT": "8"}
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        self.started.append(process)
        return process

    def records(self) -> int:
        return sum(len(path.read_text().splitlines()) for path in self.store.glob("trials/*/history.jsonl"))

    def await_records(self, count: int, *living: subprocess.Popen[str]) -> None:
        giving_up = time.monotonic() + TIMEOUT_S
        while self.records() < count and not all(job.poll() is not None for job in living):
            assert time.monotonic() < giving_up
            time.sleep(0.05)

    def kill(self, job: subprocess.Popen[str]) -> None:
        job.kill()
        job.wait()

    @staticmethod
    def signal_all(job: subprocess.Popen[str], number: signal.Signals) -> None:
        """Send a signal to a run and all that it has started, as when its machine is suspended."""
        for pid in (job.pid, *(one.pid for one in descendants(job.pid))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@pytest.fixture
def jobs(folder: Path, request: pytest.FixtureRequest) -> Iterator[Jobs]:
    jobs = Jobs(folder, folder / re.sub(r"\W", "-", request.node.name))
    yield jobs
    for job in jobs.started:
        if job.poll() is None:
            jobs.signal_all(job, signal.SIGCONT)
            jobs.signal_all(job, signal.SIGKILL)
            job.wait()


def require_all(jobs: Jobs, alone: dict[str, Any]) -> None:
    """Require the results of one run, and every step once in MLflow, in one run of each trial."""
    compared = stillhouse("compare", jobs.study, "--store", jobs.store, "--json")
    assert deterministic(compared.json["trials"]) == alone
    for name in alone:
        there, here = (read_history(store / "trials" / name) for store in (jobs.study.parent / "alone", jobs.store))
        assert [record.metrics for record in here] == [record.metrics for record in there]
        assert here[-1].metrics["loss/total"] > 0.0
    with sqlite3.connect(jobs.store / "mlflow.db") as database:
        steps = "select run_uuid, key, step from metrics where key like 'coco/bbox_mAP' group by 1, 2, 3"
        assert len(database.execute(steps).fetchall()) == len(alone) * 4
        twice = "select key from metrics where key like 'coco/%' group by run_uuid, key, step having count(*) > 1"
        assert not database.execute(twice).fetchall()
        runs = "select count(*) from runs where lifecycle_stage = 'active'"
        assert database.execute(runs).fetchone() == (len(alone) + 1,)
    assert not list(jobs.store.glob("trials/*/resume-*.pt"))
    assert not list(jobs.store.glob("leases/job-*"))


@pytest.mark.slow
def test_a_job_takes_over_what_a_killed_one_leaves(alone: dict[str, Any], jobs: Jobs) -> None:
    killed, other = jobs.start(), jobs.start()
    jobs.await_records(3, killed)
    jobs.kill(killed)
    refused = stillhouse("run", jobs.study, "--store", jobs.store)
    assert refused.code == 1
    assert "--share" in refused.err.splitlines()[-1]
    assert other.wait(TIMEOUT_S) == 0
    require_all(jobs, alone)
    again = stillhouse("run", jobs.study, "--store", jobs.store, "--json")
    assert again.code == 0
    assert deterministic(again.json["trials"]) == alone


@pytest.mark.slow
def test_only_the_named_trials_are_trained(alone: dict[str, Any], jobs: Jobs) -> None:
    first, second, *others = alone
    done = stillhouse("run", jobs.study, "--store", jobs.store, "--trials", f"{first[:5]},{second}", "--json")
    assert done.code == 0, done.err
    found = deterministic(done.json["trials"])
    assert {name: found[name] for name in (first, second)} == {name: alone[name] for name in (first, second)}
    assert not any((jobs.store / "trials" / name).exists() for name in others)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_three_jobs_that_are_killed_and_suspended_come_to_the_numbers_of_one(
    seed: int, alone: dict[str, Any], jobs: Jobs
) -> None:
    chance = random.Random(seed)
    living = [jobs.start() for _ in range(3)]
    for count in (2, 6, 10):
        jobs.await_records(count, *living)
        time.sleep(chance.uniform(0.0, 2.0))
        victim = chance.choice(living)
        if chance.random() < 0.5:
            jobs.kill(victim)
            living.remove(victim)
            living.append(jobs.start())
        else:
            jobs.signal_all(victim, signal.SIGSTOP)
            time.sleep(20.0)  # longer than a lease's time-out
            jobs.signal_all(victim, signal.SIGCONT)
    assert [job.wait(TIMEOUT_S) for job in living] == [0, 0, 0]
    require_all(jobs, alone)
