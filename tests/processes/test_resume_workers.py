"""Prove that two workers, and loader processes, go on as if nothing had happened, to the last bit."""

import json
import multiprocessing
from pathlib import Path

import pytest

from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.state.test_resume import die_at, plain  # noqa: F401  a fixture
from tests.unit.trainers.tiny import TrainOnce, assert_same_run, job, results
from trainers.data import loaders as data
from trainers.loop.loop import train, train_alone
from trainers.schema import Job, TrialSpec
from trainers.schema.record import read_history


@pytest.mark.slow
def test_loader_processes_do_not_matter(
    plain: TrialSpec,  # noqa: F811
    train_once: TrainOnce,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They read for training and, here of few images too, for evaluation."""
    monkeypatch.setattr(data, "WORTH", 1)
    wanted = job(plain, tmp_path, checkpoint_steps=1, loader_workers=2)
    for step in (1, 4):
        die_at(wanted, step)
    train_alone(wanted)
    assert_same_run(train_once(plain), tmp_path)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_two_workers_go_on_to_the_bit_and_one_from_their_means(
    plain: TrialSpec,  # noqa: F811
    gloo_pair: GlooPair,
    tmp_path: Path,
) -> None:
    names = ("whole", "killed", "shrunk")
    loaders = {"whole": 1, "killed": 0, "shrunk": 0}  # who reads does not matter
    jobs = [
        job(plain, tmp_path / name, workers=WORKERS, checkpoint_steps=1, loader_workers=loaders[name]).model_dump_json()
        for name in names
    ]
    assert gloo_pair.run(work, tmp_path, jobs) == [0, 0]
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    records = train_alone(job(plain, tmp_path / "shrunk"))
    whole = read_history(tmp_path / "whole")
    assert [record.step for record in records] == [3, 6]
    assert results(records)[0] != results(whole)[0]
    assert records[0].metrics["loss/total"] == pytest.approx(whole[0].metrics["loss/total"], rel=0.1)
    notes = [json.loads(line) for line in (tmp_path / "shrunk" / "events.jsonl").read_text().splitlines()]
    assert [note["detail"] for note in notes] == ["number of workers that began the epoch: 2; that go on with it: 1"]


def work(rank: int, texts: list[str]) -> int:
    """Train one trial as a whole, one that dies twice, and leave one in its first epoch.

    Returns how many loader processes outlive the first.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "WORTH", 1)
        whole, killed, shrunk = (Job.model_validate_json(text) for text in texts)
        list(train([whole]))
        left_over = len(multiprocessing.active_children())
        for step in (2, 5):
            die_at(killed, step)
        list(train([killed]))
        die_at(shrunk, 2)
        return left_over
