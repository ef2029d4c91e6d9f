"""Hold every adapter to what terms rely on.

A plug-in's author runs this file on a head that is not built in:

``pytest tests/contract/test_adapters.py --adapter-head package.module:HEADSPEC --adapter-config tiny_detector.py``

where ``HEADSPEC`` is a ``trainers.schema.heads.HeadSpec`` and the config that of a small detector with two stacked
convolutions. The head's outputs start with class scores and box predictions, lists over levels of (B, channels, H, W).
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.contract.adapter_case import Case, cases, freeze_norms, seen
from tests.contract.adapter_reference import (
    KNOWN,
    activation,
    assigned,
    grid,
    normaliser,
    objects_of,
    own_boxes,
    rows,
)
from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, UPRIGHT, Scene, preprocess
from tests.unit.trainers.tiny_heads import CLASSES, predictors
from trainers.distill.adapters.base import Adapter, TargetCache, Targets, adapter_for
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import HeadOutputs
from trainers.schema import Bckd, NoDistillation
from trainers.schema.compatibility import fits, presets
from trainers.schema.method import CrossKd, Gid
from trainers.schema.terms import Need, Tap, TapPoint

BATCHES = pytest.mark.parametrize(
    "scenes",
    [(CROWD, UPRIGHT), (LARGE, EMPTY, LARGE), (EMPTY, EMPTY)],
    ids=["padded", "an-image-without-objects", "no-object-at-all"],
)
ANSWERS = {
    Need.LOGITS: ("logits_AC",),
    Need.BOXES: ("boxes_A4", "strides_A"),
    Need.DISTRIBUTIONS: ("distributions_A4K",),
    Need.DELTAS: ("deltas_A4",),
    Need.PRIORS: ("priors_A4",),
    Need.OBJECTNESS: ("class_logits_AC", "objectness_A"),
}
EXTREME = 1e4


@dataclass(frozen=True)
class Built:
    """Hold a case's student and teacher, and detectors equal to the student that no adapter has seen."""

    case: Case
    student: Any
    teacher: FrozenTeacher
    plain: Any

    def fresh(self, classes: int = CLASSES) -> Any:
        """Return another student, that a test may change."""
        return self.case.build(1, classes).train()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = cases(metafunc.config)
        metafunc.parametrize("case", found, ids=[case.config.stem for case in found], scope="module")


@pytest.fixture(scope="module")
def built(case: Case) -> Built:
    return Built(case, case.build(1).train(), FrozenTeacher(case.build(2)), case.build(1).train())


def assign(adapter: Adapter, head_outputs: HeadOutputs, samples: Any) -> Targets:
    """Return the targets that computing the detector's losses leaves behind."""
    targets = Targets()
    adapter.losses(head_outputs, samples, targets)
    return targets


def total(losses: dict[str, Any]) -> dict[str, float]:
    """Return each loss's sum over levels."""
    return {
        name: (value if isinstance(value, Tensor) else torch.stack([level.sum() for level in value]).sum()).item()
        for name, value in losses.items()
    }


def gradients(detector: Any) -> dict[str, Tensor]:
    return {name: p.grad for name, p in detector.named_parameters() if p.grad is not None}


def backward(losses: dict[str, Tensor]) -> None:
    torch.autograd.backward(torch.stack(list(losses.values())).sum())


# ----------------------------------------------------------------------------------------------- what is answered


def test_the_head_gives_exactly_what_its_spec_says(built: Built) -> None:
    inputs, samples = preprocess(built.student, (CROWD,))
    adapter, head_outputs = seen(built.student, inputs)
    boxes, metas = [torch.tensor([[8.0, 8.0, 24.0, 24.0]])], [sample.metainfo for sample in samples]
    levels = [torch.zeros(1, built.student.bbox_head.feat_channels, 4, 4) for _ in head_outputs.outs[0]]
    questions: list[tuple[Need, Callable[[], Any]]] = [
        (Need.MATCHING, partial(adapter.match, head_outputs, boxes, metas)),
        (Need.HEAD_FEATURES, partial(adapter.predict, levels, levels)),
    ]
    questions += [(need, partial(getattr, head_outputs, name)) for need, names in ANSWERS.items() for name in names]
    for need, question in questions:
        if need in built.case.spec.gives:
            question()
        else:
            with pytest.raises(NotImplementedError):
                question()


@BATCHES
def test_answers_have_the_shapes_of_the_grid(built: Built, scenes: tuple[Scene, ...]) -> None:
    inputs, _ = preprocess(built.student, scenes)
    _, head_outputs = seen(built.student, inputs)
    anchors = len(scenes) * sum(len(level) for level in grid(built.student.bbox_head, head_outputs.outs))
    for need in built.case.spec.gives & ANSWERS.keys():
        for name in ANSWERS[need]:
            found: Tensor = getattr(head_outputs, name)
            suffix = name.rpartition("_")[2]
            sizes = {"A": anchors, "C": CLASSES, "4": 4}
            assert all(size == sizes[letter] for letter, size in zip(suffix, found.shape, strict=True) if letter != "K")
            assert found.dtype == torch.float32
            assert bool(torch.isfinite(found).all()), name
    assert all(level.shape[0] == len(scenes) for level in head_outputs.features)


@pytest.mark.parametrize("which", [0, 1], ids=["scores", "boxes"])
def test_one_anchor_of_the_map_is_one_row(built: Built, which: int) -> None:
    inputs, _ = preprocess(built.student, (CROWD, UPRIGHT))
    adapter, head_outputs = seen(built.student, inputs)
    head = built.student.bbox_head
    order = rows(head, head_outputs.outs)
    for row in (0, len(order) // 3, len(order) // 2 + 1, len(order) - 1):
        image, level, y, x, anchor = order[row]
        outs = [[values.detach().clone() for values in levels] for levels in head_outputs.outs]
        values = outs[type(head_outputs).boxes_at if which else 0][level]
        channels = values.shape[1] // head.prior_generator.num_base_priors[level]
        values[image, anchor * channels : (anchor + 1) * channels, y, x] += torch.linspace(0.5, 1.0, channels)
        changed = type(head_outputs)(adapter, head_outputs.features, tuple(outs), {})
        name = "boxes_A4" if which else "logits_AC"
        differs = (getattr(changed, name) != getattr(head_outputs, name)).any(1).nonzero().flatten().tolist()
        assert differs == [row]


@BATCHES
def test_boxes_are_the_detectors_own(built: Built, scenes: tuple[Scene, ...]) -> None:
    detector = copy.deepcopy(built.student).eval()
    inputs, samples = preprocess(detector, scenes)
    _, head_outputs = seen(detector, inputs)
    mine = (head_outputs.boxes_A4 * head_outputs.strides_A[:, None]).detach().reshape(len(scenes), -1, 4).clamp(min=0.0)
    own = own_boxes(detector.bbox_head, head_outputs.outs, [sample.metainfo for sample in samples])
    for boxes, theirs in zip(mine, own, strict=True):
        assert len(theirs) % len(boxes) == 0
        distance = torch.cdist(
            boxes, theirs.clamp(min=0.0), p=float("inf"), compute_mode="donot_use_mm_for_euclid_dist"
        )
        assert float(distance.min(1).values.max()) < 1e-3  # pixels
        assert float(distance.min(0).values.max()) < 1e-3


def test_training_and_evaluation_see_the_same(built: Built) -> None:
    inputs, _ = preprocess(built.student, (CROWD, UPRIGHT))
    training, evaluating = freeze_norms(built.fresh()), built.fresh().eval()
    _, first = seen(training, inputs)
    _, second = seen(evaluating, inputs)
    training.eval()  # what was seen is a fact, whatever happens to the detector
    for need in built.case.spec.gives & ANSWERS.keys():
        for name in ANSWERS[need]:
            torch.testing.assert_close(getattr(first, name), getattr(second, name), rtol=1e-5, atol=1e-5, msg=name)
            torch.testing.assert_close(getattr(first.detached(), name), getattr(first, name), rtol=0, atol=0, msg=name)


# ------------------------------------------------------------------------------------------- losses and assignment


@BATCHES
@pytest.mark.parametrize("classes", [CLASSES, 1])
def test_losses_are_the_plain_detectors(built: Built, scenes: tuple[Scene, ...], classes: int) -> None:
    labelled = tuple(Scene(s.size, tuple((label % classes, box) for label, box in s.objects)) for s in scenes)
    plain, student = built.case.build(1, classes).train(), built.fresh(classes)
    inputs, samples = preprocess(plain, labelled)
    expected = total(plain.loss(inputs, samples))
    adapter, head_outputs = seen(student, inputs)
    found = adapter.losses(head_outputs, samples, Targets())
    assert {f"loss_{name}": value.item() for name, value in found.items()} == expected
    assert set(found) == {name.removeprefix("loss_") for name in expected}
    assert set(found) <= set(built.case.spec.losses or found)


@BATCHES
def test_anchors_tell_the_assignment(built: Built, scenes: tuple[Scene, ...]) -> None:
    inputs, samples = preprocess(built.student, scenes)
    adapter, head_outputs = seen(built.student, inputs)
    found = adapter.anchors(head_outputs, assign(adapter, head_outputs, samples))
    places = torch.tensor([(image, level) for image, level, *_ in rows(built.student.bbox_head, head_outputs.outs)])
    assert torch.equal(found.image_A, places[:, 0])
    assert torch.equal(found.level_A, places[:, 1])
    assert found.num_levels == len(head_outputs.outs[0])
    assert found.positive_A.dtype == torch.bool
    assert found.normaliser.shape == ()
    assert bool(found.positive_A.any()) == any(scene.objects for scene in scenes)
    empty = [number for number, scene in enumerate(scenes) if not scene.objects]
    assert not any(bool(found.positive_A[found.image_A == image].any()) for image in empty)


@BATCHES
def test_anchors_equal_the_heads_own_targets(built: Built, scenes: tuple[Scene, ...]) -> None:
    head = built.plain.bbox_head
    if type(head).__name__ not in KNOWN:
        pytest.skip("how this head assigns is for its own tests to say")
    inputs, samples = preprocess(built.student, scenes)
    adapter, head_outputs = seen(built.student, inputs)
    found = adapter.anchors(head_outputs, assign(adapter, head_outputs, samples))
    objects, metas = [sample.gt_instances for sample in samples], [sample.metainfo for sample in samples]
    expected = assigned(head, head_outputs.outs, objects, metas)
    assert torch.equal(found.weight_A, expected.weight_A)
    assert torch.equal(found.positive_A, expected.positive_A)
    assert float(found.normaliser) == normaliser(head, expected)


def test_match_equals_the_heads_own_targets(built: Built) -> None:
    head = built.plain.bbox_head
    if type(head).__name__ not in KNOWN or Need.MATCHING not in built.case.spec.gives:
        pytest.skip("this head gives no matching of given boxes")
    inputs, samples = preprocess(built.student, (CROWD, UPRIGHT, EMPTY))
    adapter, head_outputs = seen(built.student, inputs)
    metas = [sample.metainfo for sample in samples]
    boxes = [torch.tensor([[9.0, 9.0, 30.0, 31.0], [50.0, 20.0, 62.0, 29.0]]), torch.zeros(0, 4)]
    boxes.append(torch.tensor([[1.0, 2.0, 60.0, 61.0]]))
    found = adapter.match(head_outputs, boxes, metas)
    expected = assigned(head, head_outputs.outs, objects_of(boxes), metas)
    assert torch.equal(found, expected.positive_A)
    assert min(expected.positives[0], expected.positives[2]) > 0
    assert not found.requires_grad


def test_targets_are_shared_only_by_heads_that_assign_alike(built: Built) -> None:
    inputs, samples = preprocess(built.student, (CROWD,))
    cache, first, second = TargetCache(), adapter_for(built.fresh()), adapter_for(built.case.build(5).train())
    one, other = cache.of(first), cache.of(second)
    assert (one is other) == first.shares_targets
    assert cache.of(adapter_for(built.case.build(1, CLASSES + 1))) is not one
    first.losses(first.forward(inputs), samples, one)
    head_outputs = second.forward(inputs)
    alone = {name: value.item() for name, value in second.losses(head_outputs, samples, Targets()).items()}
    assert {name: value.item() for name, value in second.losses(head_outputs, samples, other).items()} == alone


# --------------------------------------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_outputs_stay_finite_with_finite_gradients(built: Built, sign: float) -> None:
    student = built.fresh()
    with torch.no_grad():
        for layer in predictors(student.bbox_head):
            signs = torch.ones_like(layer.bias)
            signs[1::2] = -0.5
            layer.bias += sign * EXTREME * signs
    inputs, samples = preprocess(student, (CROWD, EMPTY))
    losses = Distiller(student, Bckd(kind="bckd"))(inputs, samples, built.teacher.forward(inputs), TargetCache())
    assert all(bool(torch.isfinite(value)) for value in losses.values()), losses
    backward(losses)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients(student).values())


# ------------------------------------------------------------------------------------------------------ hooks, taps


def test_neither_adapter_nor_taps_appear_in_a_state_dict(built: Built) -> None:
    student = built.fresh()
    adapter = adapter_for(student)
    if Need.HEAD_FEATURES in built.case.spec.gives:
        adapter.tap(TapPoint(1, "before"))
        adapter.tap(TapPoint(1, "after"))
    assert list(student.state_dict()) == list(built.case.build(1).state_dict())


@pytest.mark.parametrize("where", ["after", "before"])
def test_a_head_crossed_with_itself_says_what_it_said(built: Built, where: Tap) -> None:
    if Need.HEAD_FEATURES not in built.case.spec.gives:
        pytest.skip("this head gives no intermediate features")
    detector, point = built.fresh().eval(), TapPoint(1, where)
    inputs, _ = preprocess(detector, (CROWD, UPRIGHT))
    adapter = adapter_for(detector)
    adapter.tap(point)
    head_outputs = adapter.forward(inputs)
    crossed = adapter.cross(head_outputs.taps[point], head_outputs.taps[point], point)
    torch.testing.assert_close(crossed.logits_AC, head_outputs.logits_AC, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(crossed.boxes_A4, head_outputs.boxes_A4, rtol=1e-3, atol=1e-4)
    with torch.no_grad():  # an evaluation between two steps leaves nothing behind
        detector(inputs)
    assert adapter._taps[point].take().cls == []
    again = adapter.forward(inputs)
    assert [level.shape for level in again.taps[point].cls] == [level.shape for level in head_outputs.taps[point].cls]


def test_taps_change_nothing_of_what_the_head_says(built: Built) -> None:
    if Need.HEAD_FEATURES not in built.case.spec.gives:
        pytest.skip("this head gives no intermediate features")
    detector = built.fresh().eval()
    inputs, _ = preprocess(detector, (CROWD, UPRIGHT))
    adapter, plain = seen(detector, inputs)
    for where in ("before", "after"):
        adapter.tap(TapPoint(1, where))
    head_outputs = adapter.forward(inputs)
    assert torch.equal(head_outputs.logits_AC, plain.logits_AC)
    before, after = (head_outputs.taps[TapPoint(1, where)] for where in ("before", "after"))
    activate = activation(detector.bbox_head)
    assert all(torch.equal(late, activate(early)) for late, early in zip(after.cls, before.cls, strict=True))
    assert all(torch.equal(late, activate(early)) for late, early in zip(after.box, before.box, strict=True))
    assert any(bool((early < 0).any()) for early in before.cls)


# ----------------------------------------------------------------------------------------------------------- methods


def methods(case: Case) -> Iterator[tuple[str, Any]]:
    """Yield the methods that the matrix allows, adapted to a detector of two convolutions and small boxes."""
    for name, method in presets().items():
        if fits(method, case.spec, case.spec):
            if isinstance(method, CrossKd):
                method = method.model_copy(update={"convs": 1})
            if isinstance(method, Gid):
                method = method.model_copy(update={"min_side": 0.0})
            yield name, method


def test_every_method_that_fits_moves_the_student_alone(built: Built) -> None:
    student, teacher = built.fresh(), FrozenTeacher(built.case.build(2))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    tried = dict(methods(built.case))
    assert tried
    for name, method in tried.items():
        teacher.serve(method)
        distiller = Distiller(student, method, teacher=teacher)
        losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache(), True)
        terms = {term: losses[term] for term in distiller.terms}
        assert all(bool(torch.isfinite(value)) and value.item() > 0.0 for value in terms.values()), (name, terms)
        assert all(bool(torch.isfinite(value)) for value in distiller.telemetry.values()), name
        for term, value in terms.items():
            student.zero_grad()
            torch.autograd.backward(value, retain_graph=True)
            reached = gradients(student)
            assert any(bool(g.abs().sum() > 0) for key, g in reached.items() if key.startswith("backbone")), (
                name,
                term,
            )
            assert all(bool(torch.isfinite(g).all()) for g in reached.values()), (name, term)
    assert all(p.grad is None and not p.requires_grad for p in teacher.detector.parameters())


@BATCHES
def test_every_method_that_fits_survives_any_batch(built: Built, scenes: tuple[Scene, ...]) -> None:
    student, teacher = built.fresh(), FrozenTeacher(built.case.build(2))
    inputs, samples = preprocess(student, scenes)
    for name, method in methods(built.case):
        teacher.serve(method)
        student.zero_grad()
        losses = Distiller(student, method, teacher=teacher)(inputs, samples, teacher.forward(inputs), TargetCache())
        assert all(bool(torch.isfinite(value)) for value in losses.values()), (name, losses)
        backward(losses)
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients(student).values()), name


def test_terms_of_weight_0_change_no_bit_of_a_step(built: Built) -> None:
    inputs, samples = preprocess(built.student, (LARGE, CROWD))
    found = []
    for method in (NoDistillation(kind="none"), Bckd(kind="bckd", alpha1=0.0, alpha2=0.0)):
        student = built.fresh()
        teacher = built.teacher.forward(inputs)
        losses = Distiller(student, method)(inputs, samples, teacher, TargetCache())
        backward(losses)
        found.append(gradients(student) | losses)
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
