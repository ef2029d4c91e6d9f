"""Prove that what terms train beside a student is trained, saved and shared out as the student is, and is no part of it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.loop.test_segment import segment
from tests.unit.trainers.state.test_resume import killed_at
from tests.unit.trainers.tiny import (
    EPOCHS,
    STEPS_PER_EPOCH,
    TrainOnce,
    adamw,
    assert_same_run,
    changed,
    job,
    sgd,
    state,
)
from trainers.distill.distiller import FrozenTeacher
from trainers.loop.loop import train, train_alone, train_together
from trainers.loop.student_trainer import StudentTrainer
from trainers.schema import Schedule, TrialSpec
from trainers.schema.method import CwdMethod, FeatureMethod, FgdMethod, MgdMethod, PkdMethod, TermSum
from trainers.schema.record import CARRIED, LAST, read_history
from trainers.schema.schedule import Ema
from trainers.schema.terms import BckdCls, Cwd, GradShare, Mgd, Pkd

SHARE = GradShare(grad_share=0.3, every=2)
STEPS = EPOCHS * STEPS_PER_EPOCH


@pytest.fixture(scope="module")
def specs(distilled: TrialSpec) -> dict[str, TrialSpec]:
    """Return students of half the teacher's channels that learn from its features."""
    late = TermSum(
        kind="terms",
        terms=(
            Cwd(kind="cwd", **{"from": 1, "ramp": 1}),
            BckdCls(kind="bckd-cls", until=0.5),
            Pkd(kind="pkd", weight=SHARE),
        ),
    )
    return {
        "pkd": changed(distilled, method=PkdMethod(kind="pkd")),
        "mgd": changed(distilled, method=MgdMethod(kind="mgd"), schedule=adamw(ema=Ema(momentum=0.1))),
        "fgd": changed(distilled, method=FgdMethod(kind="fgd")),
        "feature": changed(distilled, method=FeatureMethod(kind="feature")),
        "late": changed(distilled, method=late),
    }


def resumed(path: Path, step: int) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path / f"resume-{step}.pt", weights_only=True)
    return content


@contextlib.contextmanager
def trained_until(spec: TrialSpec, path: Path, step: int) -> Iterator[dict[str, Any]]:
    """Yield the state that a trial has left when it died before a step."""
    with killed_at(step), contextlib.suppress(BaseException):
        list(train([job(spec, path, checkpoint_steps=1)]))
    yield resumed(path, step)


def test_each_equals_its_solo_run(specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path) -> None:
    list(train_together([job(spec, tmp_path / name, name) for name, spec in specs.items()]))
    for name, spec in specs.items():
        assert_same_run(train_once(spec), tmp_path / name)


@pytest.mark.parametrize("name", ["mgd", "late"])
def test_dying_at_every_step_changes_nothing(
    name: str, specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    wanted = job(specs[name], tmp_path, checkpoint_steps=1)
    for step in range(1, STEPS):
        with killed_at(step), contextlib.suppress(BaseException):
            list(train([wanted]))
    train_alone(wanted)
    assert_same_run(train_once(specs[name]), tmp_path)


def test_connectors_are_trained_and_saved_but_neither_averaged_nor_exported(
    specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    alone = state(train_once(changed(specs["mgd"], method=PkdMethod(kind="pkd", weight=0.0))) / "last.pth")
    assert state(train_once(specs["mgd"]) / "last.pth").keys() == alone.keys()
    with trained_until(specs["mgd"], tmp_path, 1) as first:
        assert first["student"].keys() == alone.keys() == first["average"]["student"].keys()
        begun = first["connectors"]
    with trained_until(specs["mgd"], tmp_path, 3) as later:
        assert all(not torch.equal(value, begun[name]) for name, value in later["connectors"].items())
    assert {name.split(".")[1] for name in begun} == {"projectors", "generators"}


def test_states_of_terms_without_connectors_are_as_they_were(distilled: TrialSpec, tmp_path: Path) -> None:
    with trained_until(distilled, tmp_path, 1) as found:
        assert sorted(found) == [
            "average",
            "begun",
            "format",
            "history",
            "optimizer",
            "schedulers",
            "step",
            "student",
            "workers",
        ]


def test_connectors_begin_as_a_function_of_the_seed_and_the_term(specs: dict[str, TrialSpec], tmp_path: Path) -> None:
    def connectors(spec: TrialSpec, drawn: int) -> dict[str, torch.Tensor]:
        torch.rand(drawn)
        teacher = FrozenTeacher(StudentTrainer(job(plain, tmp_path), 2, torch.device("cpu")).student)
        one = StudentTrainer(job(spec, tmp_path), 2, torch.device("cpu"), teacher)
        return one.distiller.connectors.state_dict()

    plain = changed(specs["pkd"], method=PkdMethod(kind="pkd", weight=0.0), student=specs["pkd"].teacher.detector)  # type: ignore[union-attr]
    both = TermSum(kind="terms", terms=(Pkd(kind="pkd"), Mgd(kind="mgd", levels=2)))
    first, second = connectors(specs["pkd"], 1), connectors(changed(specs["pkd"], method=both), 2)
    assert all(torch.equal(second[name], value) for name, value in first.items())
    other = connectors(changed(specs["pkd"], seed=1), 1)
    assert not any(torch.equal(other[name], value) for name, value in first.items() if name.endswith("weight"))


def test_the_optimizer_treats_connectors_as_the_students_own(specs: dict[str, TrialSpec], tmp_path: Path) -> None:
    with trained_until(specs["pkd"], tmp_path, 1) as found:
        [group] = found["optimizer"]["param_groups"]
        buffers = ("running", "num_batches", "integral")
        parameters = [name for name in found["student"] if not any(word in name for word in buffers)]
        assert len(group["params"]) == len(parameters) + len(found["connectors"])


@pytest.mark.parametrize("schedule", [sgd(), adamw(ema=Ema())], ids=["sgd", "adamw"])
def test_segments_hand_connectors_and_held_weights_on(
    schedule: Schedule, specs: dict[str, TrialSpec], train_once: TrainOnce, tmp_path: Path
) -> None:
    spec = changed(specs["late"], schedule=schedule)
    first, second = tmp_path / "first", tmp_path / "second"
    train_alone(job(segment(spec, (0, 1)), first))
    assert {"connectors", "weights"} <= torch.load(first / CARRIED, weights_only=True).keys()
    train_alone(job(segment(spec, (1, EPOCHS), first), second))
    records = [record.metrics for folder in (first, second) for record in read_history(folder)]
    assert records == [record.metrics for record in read_history(train_once(spec))]
    mine, wanted = state(second / LAST), state(train_once(spec) / LAST)
    assert all(torch.equal(mine[name], wanted[name]) for name in wanted)


# ------------------------------------------------------------------------------------------- when terms act


def test_a_term_costs_nothing_where_it_does_not_act(
    distilled: TrialSpec, train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it begins the student is that of ``none`` to the bit, and the teacher is not asked."""
    asked = []
    forward = FrozenTeacher.forward
    monkeypatch.setattr(FrozenTeacher, "forward", lambda self, *args: asked.append(1) or forward(self, *args))
    method = CwdMethod(kind="cwd", **{"from": 1, "until": 2})
    train_alone(job(changed(distilled, method=method), tmp_path))
    assert len(asked) == STEPS_PER_EPOCH
    off = changed(distilled, method=PkdMethod(kind="pkd", weight=0.0))
    records, alone = read_history(tmp_path), read_history(train_once(off))
    assert {k: v for k, v in records[0].metrics.items() if k != "weight/cwd"} == alone[0].metrics
    assert [record.metrics["weight/cwd"] for record in records] == [0.0, 10.0, 0.0]
    assert [("loss/cwd" in record.metrics, "grad_share/cwd" in record.metrics) for record in records] == [
        (False, False),
        (True, True),
        (False, False),
    ]


def test_a_held_share_is_held_and_on_record(specs: dict[str, TrialSpec], train_once: TrainOnce) -> None:
    """The first step's share is the one that was asked for; later ones lie about it, as running means go."""
    records = [record.metrics for record in read_history(train_once(specs["late"]))]
    assert records[0]["grad_share/pkd"] == pytest.approx(0.3, rel=1e-4)
    assert len({record["weight/pkd"] for record in records}) == len(records)
    assert [record["weight/cwd"] for record in records] == [0.0, 10.0, 10.0]
