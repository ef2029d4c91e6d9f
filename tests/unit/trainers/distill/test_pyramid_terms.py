"""Prove what terms on pyramid features compare: which levels, through what, and what else they see of a batch."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, Scene, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import TargetCache
from trainers.distill.connectors import Pyramids, context_block, pyramid_shapes
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.terms import build
from trainers.distill.terms.feature import score_maps
from trainers.distill.terms.fgd import shares
from trainers.distill.terms.mgd import MgdTerm
from trainers.errors import TrialError
from trainers.schema.method import CwdMethod, TermSum
from trainers.schema.terms import Cwd, Feature, Fgd, Mgd, Pkd, TermSection

EQUAL = ((8, 16), (8, 8), (8, 4))
PYRAMIDS = Pyramids(EQUAL, EQUAL, 0)
TERMS: tuple[TermSection, ...] = (
    Pkd(kind="pkd"),
    Cwd(kind="cwd"),
    Mgd(kind="mgd"),
    Fgd(kind="fgd"),
    Feature(kind="feature"),
)


# ---------------------------------------------------------------------------------------- levels and connectors


@pytest.mark.parametrize(
    ("student", "teacher", "levels", "pairs"),
    [
        ((16, 8, 4, 2, 1), (16, 8, 4, 2, 1), 4, ((0, 0), (1, 1), (2, 2), (3, 3))),
        ((16, 8, 4), (16, 8, 4, 2, 1), 5, ((0, 0), (1, 1), (2, 2))),
        ((32, 16, 8, 4, 2), (16, 8, 4, 2, 1), 2, ((1, 0), (2, 1))),  # two stages beside one
        ((16, 4), (16, 8, 4), 5, ((0, 0), (1, 2))),
        ((1, 1), (1, 1), 5, ((0, 0), (1, 1))),
        ((16, 8, 4, 2, 1), (16, 8, 4), 5, ((0, 0), (1, 1), (2, 2))),  # the teacher's end first
        ((16, 8, 4, 2), (8,), 5, ((1, 0),)),
        ((8,), (16, 8, 4, 2), 5, ((0, 1),)),
        ((16, 8, 3), (12, 8, 2), 5, ((1, 1),)),
    ],
)
def test_levels_of_equal_stride_are_compared(student: Any, teacher: Any, levels: int, pairs: Any) -> None:
    mine, theirs = (tuple((8, rows) for rows in side) for side in (student, teacher))
    assert Pyramids(mine, theirs, 0).common(levels) == pairs


def test_pyramids_without_a_common_stride_are_refused() -> None:
    with pytest.raises(TrialError, match="no pyramid level of equal stride"):
        Pyramids(((8, 16),), ((8, 8),), 0).common(5)


@pytest.mark.parametrize(
    ("spec", "equal", "unequal"),
    [
        (TERMS[0], set(), {"projectors"}),
        (TERMS[1], set(), {"projectors"}),
        (TERMS[2], {"generators"}, {"projectors", "generators"}),
        (TERMS[3], {"student", "teacher"}, {"projectors", "student", "teacher"}),
        (TERMS[4], {"projectors"}, {"projectors"}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_projectors_are_there_where_channels_differ(spec: TermSection, equal: set[str], unequal: set[str]) -> None:
    narrow = Pyramids(tuple((4, rows) for _, rows in EQUAL), EQUAL, 0)
    terms: list[Any] = [build(spec, side) for side in (PYRAMIDS, narrow)]
    assert [set(term.connector or {}) for term in terms] == [equal, unequal]


def test_a_context_block_begins_as_the_identity() -> None:
    maps = torch.randn(2, 6, 3, 3)
    assert torch.equal(context_block(6)(maps), maps)


def test_looking_at_a_pyramid_changes_nothing() -> None:
    model = woken(config_of("yolox"), 1).train()
    before, modes = {k: v.clone() for k, v in model.state_dict().items()}, [m.training for m in model.modules()]
    drawn = torch.random.get_rng_state()
    assert [rows for _, rows in pyramid_shapes(model)] == [16, 8, 4]
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), drawn)


@pytest.mark.parametrize("spec", TERMS[2:], ids=lambda spec: spec.kind)
def test_a_term_that_trains_something_needs_its_teacher_when_it_is_built(spec: TermSection) -> None:
    student, teacher = woken(config_of("gfl"), 1).train(), FrozenTeacher(woken(config_of("gfl"), 2))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    distiller = Distiller(student, TermSum(kind="terms", terms=(spec,)))
    with pytest.raises(TrialError, match="has to be built with its teacher"):
        distiller(inputs, samples, teacher.forward(inputs), TargetCache())


# -------------------------------------------------------------------------------------------- across detectors


@pytest.mark.parametrize(("student", "teacher"), [("yolox", "gfl"), ("gfl", "retinanet"), ("fcos", "yolox")])
def test_features_of_another_family_train_student_and_connectors(student: str, teacher: str) -> None:
    """Images of one object, of many and of none; every connector gets a gradient, and the teacher none."""
    mine, theirs = woken(config_of(student), 1).train(), FrozenTeacher(woken(config_of(teacher), 2))
    method = TermSum(kind="terms", terms=TERMS)
    theirs.serve(method)
    inputs, samples = preprocess(mine, (LARGE, CROWD, EMPTY))
    distiller = Distiller(mine, method, teacher=theirs)
    losses = distiller(inputs, samples, theirs.forward(inputs), TargetCache(), True)
    distilled = [losses[name] for name in distiller.terms]
    assert all(bool(loss.isfinite()) and loss.item() > 0.0 for loss in distilled)
    torch.stack(distilled).sum().backward()
    missing = [name for name, weight in distiller.connectors.named_parameters() if weight.grad is None]
    assert missing == []
    assert any(weight.grad is not None and weight.grad.any() for weight in mine.backbone.parameters())
    assert all(weight.grad is None for weight in theirs.detector.parameters())


def test_a_teacher_that_is_asked_for_features_alone_does_not_run_its_head() -> None:
    teacher = FrozenTeacher(woken(config_of("gfl"), 2))
    teacher.serve(CwdMethod(kind="cwd"))
    assert teacher.forward(torch.zeros(1, 3, 64, 64)).outs == ()
    teacher.serve(TermSum(kind="terms", terms=(TERMS[4],)))
    assert teacher.forward(torch.zeros(1, 3, 64, 64)).outs != ()


# ---------------------------------------------------------------------------------------- what a term sees


def outputs_of(head: str, *scenes: Scene) -> TeacherStudentOutputs:
    student, teacher = woken(config_of(head), 1).eval(), FrozenTeacher(woken(config_of(head), 2))
    inputs, samples = preprocess(student, scenes)
    distiller = Distiller(student, CwdMethod(kind="cwd"), teacher=teacher)
    distiller.begin(7)
    distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    assert distiller.outputs is not None
    return distiller.outputs


@pytest.mark.parametrize("head", ["gfl", "retinanet", "yolox"])
def test_a_place_has_the_highest_score_of_its_anchors(head: str) -> None:
    teacher = outputs_of(head, LARGE, CROWD).teacher
    flat, at = teacher.logits_AC.sigmoid(), 0
    wanted = [torch.zeros(len(level), 1, *level.shape[2:]) for level in teacher.features]
    for image in range(len(teacher.features[0])):
        for level, count in zip(wanted, teacher.level_sizes, strict=True):
            _, _, height, width = level.shape
            anchors = count // (height * width)
            for i in range(height):
                for j in range(width):
                    level[image, 0, i, j] = flat[at : at + anchors].max()
                    at += anchors
    assert at == len(flat)
    for found, level in zip(score_maps(teacher), wanted, strict=True):
        torch.testing.assert_close(found, level, rtol=1e-6, atol=0.0)


def test_objects_are_shares_of_the_padded_image() -> None:
    outputs = outputs_of("gfl", LARGE, CROWD)  # padded to 64 x 96
    assert outputs.size == (64, 96)
    first = shares(outputs)[0][0]
    assert first.tolist() == pytest.approx([15 / 96, 17 / 64, 49 / 96, 50 / 64])


def test_what_is_hidden_depends_on_seed_step_level_and_image_alone() -> None:
    outputs, level = outputs_of("gfl", LARGE, CROWD), torch.zeros(2, 8, 12, 12)

    def kept(images: tuple[int, int], step: int = 7, number: int = 0, seed: int = 3) -> torch.Tensor:
        batch = replace(outputs, metas=[{"img_id": image} for image in images], step=step)
        return MgdTerm(Mgd(kind="mgd"), Pyramids(EQUAL, EQUAL, seed)).kept(batch, number, level)

    found = kept((41, 42))
    torch.rand(3)
    assert torch.equal(kept((42, 40))[0], found[1])
    others = (kept((41, 42), step=8), kept((41, 42), number=1), kept((41, 42), seed=4), kept((43, 44)))
    assert not any(torch.equal(other[0], found[0]) for other in others)
