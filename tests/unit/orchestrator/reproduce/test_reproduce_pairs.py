"""Figures put beside each other what one teacher teaches and what was trained alone on the same data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.pairs import DetectorPair, pairs_of
from orchestrator.reproduce.plan import make_run_plan


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[DetectorPair]]:
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    store, big = Store(tmp_path / "store"), Machine(cpus=64, gpus=8)
    return lambda *targets, **options: pairs_of(make_run_plan(targets, Options(**options), store, big))


def methods(trials) -> list[str]:
    return [trial.spec.method.kind for trial in trials]


def test_self_distilled_students_have_a_pair_each(pairs):
    found = pairs("A1")
    gfl = [f"stillhouse::gfl_{backbone}_fpn" for backbone in ("r34", "r18")]
    assert [(pair.student, pair.teacher) for pair in found] == [(name, name) for name in gfl]
    assert [methods(pair.taught) for pair in found] == [["ld", "bckd"]] * 2
    assert [methods(pair.alone) for pair in found] == [["none"]] * 2
    assert [pair.teaches.id for pair in found if pair.teaches] == [pair.alone[0].id for pair in found]


def test_two_teachers_of_one_student_are_two_pairs(pairs):
    own, public = (pair for pair in pairs("A1", "main") if "r18" in pair.student)
    assert [own.name.partition(":")[0], public.name.partition(":")[0]] == ["A1", "main"]
    assert [methods(own.taught), methods(public.taught)] == [["ld", "bckd"], ["bckd"]]
    assert own.alone == public.alone
    assert own.teacher != public.teacher


def test_students_on_other_data_are_other_pairs(pairs):
    coco, voc = (pair for pair in pairs("A1", "A4") if "r18" in pair.student)
    for pair, kind in ((coco, "coco"), (voc, "voc")):
        assert {trial.spec.dataset.kind for trial in (*pair.alone, *pair.taught)} == {kind}
    assert {trial.id for trial in coco.alone}.isdisjoint(trial.id for trial in voc.alone)


def test_the_teacher_is_the_trial_that_trained_or_evaluated_it(pairs):
    [trained] = pairs("A4")
    assert trained.teaches is not None
    assert trained.teaches.spec.init is None
    [public] = pairs("A6")
    assert public.teaches is not None
    assert public.teaches.spec.init is not None
    assert [trained.teaches.role, public.teaches.role] == ["teacher", "teacher"]
    assert "r101" in public.teacher
    assert [pair.teaches for pair in pairs("A6", fidelity="smoke")] == [None]  # random weights stand in for it


def test_rows_are_named_only_where_the_method_does_not_tell_them_apart(pairs):
    [pair] = pairs("A5")
    assert methods(pair.taught) == ["pkd+bckd", "pkd+bckd"]
    assert [trial.params for trial in pair.taught] == [
        {"row": "fcos_r50_pkd_bckd"},
        {"row": "fcos_r50_pkd_bckd_inherit"},
    ]
    assert [trial.params for trial in pair.alone] == [{}]


def test_what_nobody_trains_alone_has_nothing_beside_it(pairs):
    [pair] = pairs("gfl_r50_bckd_from_r101")
    assert pair.alone == ()
    assert pairs("gfl_r50") == []
