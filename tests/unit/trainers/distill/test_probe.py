"""Telemetry says what it means, disturbs nothing, and a loss that is not finite is traced to where it began."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.awake import awake
from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.tiny import TrainOnce, job, state, trial
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.meters import ratios
from trainers.distill.probe import concentration
from trainers.distill.terms.pyramid import PyramidTerm
from trainers.errors import NonFiniteLoss
from trainers.loop.loop import train_alone
from trainers.schema import Bckd, Teacher, TrialSpec
from trainers.schema.method import PkdMethod, TermSum
from trainers.schema.plugins import resolved
from trainers.schema.record import read_history
from trainers.schema.terms import BUILT_IN, BckdCls, BckdLoc, TermSection

METHOD = Bckd(kind="bckd")


def step(
    student: Any, teacher: FrozenTeacher, probing: bool, method: Any = METHOD
) -> tuple[Distiller, dict[str, Tensor]]:
    """Return a distiller after one forward and backward on the same batch every time."""
    inputs, samples = preprocess(student, (LARGE, CROWD))
    distiller = Distiller(student, method)
    student.zero_grad()
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache(), probing)
    torch.stack(list(losses.values())).sum().backward()
    return distiller, losses


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.__name__)
def test_a_term_that_compares_by_anchors_is_one_that_weighs_them(kind: type[TermSection]) -> None:
    [name] = kind.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
    weighs_anchors = not issubclass(resolved(kind.computed_by, name), PyramidTerm)
    assert kind.model_validate({"kind": name}).by_anchors == weighs_anchors


def test_gradient_shares_are_norms_at_the_pyramid() -> None:
    student, teacher = awake(1.0, 1).train(), FrozenTeacher(awake(2.0, 2))
    distiller, _ = step(student, teacher, probing=True)
    shares = {n.removeprefix("grad_share/"): float(v) for n, v in distiller.telemetry.items() if "share" in n}
    norms = {}
    for name in ("detection", "bckd_cls", "bckd_loc"):
        again = Distiller(student, METHOD)
        inputs, samples = preprocess(student, (LARGE, CROWD))
        losses = again(inputs, samples, teacher.forward(inputs), TargetCache())
        assert again.head_outputs is not None
        chosen = losses[name] if name in losses else losses["cls"] + losses["bbox"] + losses["dfl"]
        found = torch.autograd.grad(chosen, again.head_outputs.features)
        norms[name] = float(sum(gradient.double().square().sum() for gradient in found)) ** 0.5
    assert shares == pytest.approx({name: norm / sum(norms.values()) for name, norm in norms.items()}, rel=1e-4)


def test_probing_changes_neither_losses_nor_gradients() -> None:
    student, teacher = awake(1.0, 1).train(), FrozenTeacher(awake(2.0, 2))
    _, plain = step(student, teacher, probing=False)
    expected = {name: p.grad.clone() for name, p in student.named_parameters() if p.grad is not None}
    _, probed = step(student, teacher, probing=True)
    assert {n: v.item() for n, v in probed.items()} == {n: v.item() for n, v in plain.items()}
    assert all(torch.equal(p.grad, expected[name]) for name, p in student.named_parameters() if name in expected)


@pytest.mark.parametrize(
    ("weights", "fraction"),
    [([1.0] * 10, 0.9), ([9.5] + [0.1] * 10, 1 / 11), ([0.0] * 4, 0.0), ([0.0, 5.0, 0.0, 0.0], 0.25), ([], 0.0)],
)
def test_concentration_counts_anchors_from_the_heaviest(weights: list[float], fraction: float) -> None:
    assert float(concentration(torch.tensor(weights))) == pytest.approx(fraction)


def test_ratios_are_to_the_detectors_own_losses() -> None:
    means = {"cls": 1.0, "bbox": 3.0, "bckd_cls": 2.0, "total": 6.0}
    assert ratios(means, {"bckd_cls": None}) == {"ratio/bckd_cls": 0.5}  # type: ignore[dict-item]
    assert ratios({"bckd_cls": 2.0, "cls": 0.0, "total": 2.0}, {"bckd_cls": None}) == {}  # type: ignore[dict-item]


def test_every_epochs_record_holds_the_telemetry(train_once: TrainOnce, distilled: TrialSpec) -> None:
    for record in read_history(train_once(distilled)):
        shares = [record.metrics[f"grad_share/{name}"] for name in ("detection", "bckd_cls", "bckd_loc")]
        assert sum(shares) == pytest.approx(1.0)
        assert all(0.0 < record.metrics[f"focus/{name}"] <= 1.0 for name in ("bckd_cls", "bckd_loc"))
        own = sum(record.metrics[f"loss/{name}"] for name in ("cls", "bbox", "dfl"))
        assert record.metrics["ratio/bckd_loc"] == pytest.approx(record.metrics["loss/bckd_loc"] / own)


# ---------------------------------------------------------------------------------------------- weights of zero


@pytest.mark.parametrize(
    "method",
    [
        Bckd(kind="bckd", alpha1=0.0, alpha2=0.0),
        PkdMethod(kind="pkd", weight=0.0),
        TermSum(kind="terms", terms=(BckdCls(kind="bckd-cls", weight=0.0), BckdLoc(kind="bckd-loc", weight=0.0))),
    ],
    ids=["bckd", "pkd", "terms"],
)
def test_a_method_that_weighs_nothing_trains_bit_for_bit_as_none(
    method: Any, teacher: Teacher, train_once: TrainOnce, tmp_path: Path
) -> None:
    train_alone(job(trial(teacher=teacher, method=method), tmp_path))
    alone = train_once(trial())
    mine, expected = state(tmp_path / "last.pth"), state(alone / "last.pth")
    assert mine.keys() == expected.keys()
    assert all(torch.equal(mine[name], expected[name]) for name in expected)
    assert [r.metrics for r in read_history(tmp_path)] == [r.metrics for r in read_history(alone)]


# ------------------------------------------------------------------------------------- losses that are not finite


def broken(student: Any, layer: str, value: float) -> None:
    with torch.no_grad():
        getattr(student.bbox_head, layer).bias.fill_(value)


def test_a_loss_that_is_not_finite_is_named_with_step_level_and_images(
    distilled: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers.loop import student_trainer

    steps = []
    train_step = student_trainer.StudentTrainer.train_step

    def poisoned(self: student_trainer.StudentTrainer, *args: Any) -> None:
        steps.append(self.step)
        if self.step == 3:
            with torch.no_grad():
                self.student.bbox_head.scales[1].scale.fill_(float("nan"))  # the second level's boxes alone
        train_step(self, *args)

    monkeypatch.setattr(student_trainer.StudentTrainer, "train_step", poisoned)
    with pytest.raises(
        NonFiniteLoss, match=r"not finite at step 3: level 1 \(stride 16\), images \d+, \d+, \d+, \d+ \("
    ):
        train_alone(job(distilled, tmp_path))
    assert steps[-1] == 3  # found in the very step, before the weights were moved


def test_a_term_that_alone_is_not_finite_is_traced_to_its_level_and_image() -> None:
    student, teacher = awake(1.0, 1).train(), FrozenTeacher(awake(2.0, 2))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    distiller = Distiller(student, METHOD)
    distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    from trainers.distill.diagnosis import Evidence

    head_outputs, outputs = distiller.head_outputs, distiller.outputs
    assert head_outputs is not None
    assert outputs is not None
    found = outputs.detached()
    a = int(((found.anchors.level_A == 2) & (found.anchors.image_A == 1)).nonzero()[0])
    found.student.boxes_A4[a] = float("nan")  # as if decoding had gone wrong: the outputs themselves are finite
    evidence = Evidence(7, ("bckd_loc",), (41, 42), head_outputs.detached(), found)
    assert evidence.describe("bckd_loc", {"bckd_loc": everywhere(distiller)}) == "level 2 (stride 32), images 42"


def everywhere(distiller: Distiller) -> Any:
    """Return the localization term without level gate, so that a level without positives counts too."""
    from trainers.distill.terms import build

    return build(distiller.terms["bckd_loc"].spec.model_copy(update={"level_gate": "none"}))
