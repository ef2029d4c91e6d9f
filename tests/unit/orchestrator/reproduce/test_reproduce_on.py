"""A reproduction is submitted as the command that it is, and costs nothing where it could not run."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import parser
from orchestrator.clusters.description import Cluster
from orchestrator.commands import job
from orchestrator.commands.reproduce import options_of
from orchestrator.core.errors import UserError
from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reproduce.on_cluster import further_words, job_request_of, name_of, require_room, said
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import RunPlan, make_run_plan
from orchestrator.service.queue import as_text, from_text
from orchestrator.submit.identity import parse_attempt
from orchestrator.submit.job_request import entrypoint
from tests.unit.orchestrator.clusters.described import cluster, worker
from tests.unit.orchestrator.command import runner


@pytest.fixture
def run_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunPlan]:
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    big = Machine(cpus=64, gpus=8)
    return lambda *targets, **options: make_run_plan(targets, Options(**options), Store(tmp_path / "store"), big)


def test_the_driver_gets_the_command_that_was_given(run_plan):
    paper_options = {"iou": "iou", "retina_teacher": "own"}
    chosen = {"fidelity": "short", "gpus": 4, "seeds": 3, "paper_options": paper_options, "accept_teacher_ap": True}
    further = further_words(fetch_data=True, tracker_wait_s=5.0)
    job_request = job_request_of(run_plan("A6", "A4", **chosen), ("A6", "A4"), cluster(), further)
    attempt = parse_attempt(f"{job_request.key}-1")
    assert attempt is not None
    script = shlex.split(entrypoint(job_request, attempt, job.own_version()))  # type: ignore[attr-defined]
    driver = job.parser().parse_args(script[script.index("orchestrator.commands.job") + 1 :])
    assert (driver.command, driver.run[:2]) == ("reproduce", ["A6", "A4"])
    arguments = parser().parse_args([driver.command, *driver.run])
    assert options_of(arguments) == Options(**chosen)
    assert (arguments.targets, arguments.store, arguments.address) == (["A6", "A4"], cluster().store, "auto")
    assert (arguments.fetch_data, arguments.tracker_wait) == (True, 5.0)


def test_the_same_trials_are_the_same_submission(run_plan):
    one, again = (job_request_of(run_plan("A4"), ("A4",), cluster()) for _ in range(2))
    assert one == again
    assert job_request_of(run_plan("A4", seeds=2), ("A4",), cluster()).key != one.key
    assert (
        job_request_of(run_plan("A4"), ("A4",), cluster(storage={"kind": "nfs", "server": "s", "path": "/x"})).key
        != one.key
    )


def test_a_shorter_reproduction_is_listed_as_one(run_plan):
    names = [job_request_of(run_plan("A4", fidelity=one), ("A4",), cluster()).study for one in ("full", "short")]
    assert names == ["reproduce A4", "reproduce A4 --fidelity short"]
    assert name_of(["x" * 200], "smoke").endswith(" --fidelity smoke")
    assert len(name_of(["x" * 200], "smoke")) == len(name_of(["x" * 200], "full")) == 100


def test_the_service_keeps_such_an_order_as_it_is(run_plan):
    job_request = job_request_of(run_plan("A4"), ("A4",), cluster())
    assert from_text(as_text(job_request)) == job_request


def test_a_trial_that_fits_nowhere_is_refused_before_a_machine_starts(run_plan):
    small = cluster(workers=[worker(gpus=1, max=4)])
    with pytest.raises(UserError, match="takes 8 GPUs, tiny has 4: give fewer --gpus"):
        require_room(run_plan("A4"), small)
    require_room(run_plan("A4", gpus=4), small)
    require_room(run_plan("A4"), cluster(workers=[worker(gpus=0)]))


def test_a_mirror_that_is_not_kept_is_said(run_plan: Callable[..., RunPlan]):
    plain: Cluster = cluster()
    assert len(said(run_plan("A4"), plain)) == 1
    assert "keeps no mirror" in said(run_plan("A4"), cluster(mirror="s3://bucket/runs"))[-1]


def test_on_stands_alone(tmp_path, capsys):
    stillhouse = runner(capsys)
    described = tmp_path / "cluster.yaml"
    for other, words in ((("--plan",), "not allowed with"), (("--address", "localhost:1"), "give only one of them")):
        answer = stillhouse("reproduce", "A4", "--on", described, "--store", tmp_path / "store", *other)
        assert answer.code == 2
        assert words in answer.err
    assert not (tmp_path / "store").exists()
