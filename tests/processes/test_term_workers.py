"""Prove each term's rule for N workers, as its docstring states it, on two processes."""

from typing import Any

import pytest
import torch

from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.scenes import CROWD, LARGE, Scene, preprocess
from tests.unit.trainers.tiny_heads import config_of, fitting, woken
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema.method import TermSum
from trainers.schema.terms import (
    BckdCls,
    BckdLoc,
    CrossKdBox,
    CrossKdCls,
    Cwd,
    Feature,
    Fgd,
    GidResponse,
    KdMain,
    LdMain,
    LdVlr,
    Mgd,
    Pkd,
    TermSection,
)

SHARES = ((CROWD, CROWD), (Scene((64, 96), LARGE.objects),))  # the second worker has fewer positives
COUNT = "positives"
LARGER = 1000.0
DENSE: tuple[TermSection, ...] = (
    BckdCls(kind="bckd-cls", level_gate="none"),
    BckdLoc(kind="bckd-loc", level_gate="none"),
    Pkd(kind="pkd"),
    CrossKdCls(kind="crosskd-cls", convs=1),
    CrossKdBox(kind="crosskd-box", convs=1),
)
FEATURES: tuple[TermSection, ...] = (Cwd(kind="cwd"), Mgd(kind="mgd"), Fgd(kind="fgd"), Feature(kind="feature"))
BINS: tuple[TermSection, ...] = (LdMain(kind="ld-main"), LdVlr(kind="ld-vlr"), KdMain(kind="kd-main"))
DELTAS: tuple[TermSection, ...] = (GidResponse(kind="gid-response", min_side=0.0),)
TERMS = {"gfl": DENSE + FEATURES + BINS, "atss": DENSE + DELTAS, "retinanet": DENSE + DELTAS, "fcos": DENSE + DELTAS}
TERMS |= {"yolox": DENSE[:3] + FEATURES, "rtmdet": DENSE[:4], "tood_initial": DENSE[:3], "vfnet": DENSE + DELTAS}

# What a worker's loss is divided by: the mean over workers of the number of positives where the head reduces it.
REDUCING = ("gfl", "atss", "fcos", "yolox", "rtmdet", "tood_initial", "vfnet")
DIVIDED_BY_N = {"bckd_cls", "bckd_loc", "crosskd_cls", "crosskd_box"}
DIVIDED_BY_OWN_WEIGHTS = {("gfl", "crosskd_box")}
Losses = dict[str, dict[str, float]]


def losses_of(*shares: tuple[Scene, ...]) -> Losses:
    """Return every head's terms, and its number of positives as its loss counts them, on the shares together.

    Batch norms are in evaluation mode, so that an image's features do not depend on the batch that it comes in.
    """
    found = {}
    for head, specs in TERMS.items():
        student, taught = (detector_of(head, seed) for seed in (1, 2))
        teacher = FrozenTeacher(taught)
        student = fitting(student)
        method = TermSum(kind="terms", terms=specs)
        teacher.serve(method)
        batches = [preprocess(student, share, seed=SHARES.index(share)) for share in shares]
        inputs, samples = torch.cat([b[0] for b in batches]), [sample for b in batches for sample in b[1]]
        distiller = Distiller(student, method, teacher=teacher)
        losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
        assert distiller.outputs is not None
        found[head] = {name: losses[name].item() for name in distiller.terms}
        found[head][COUNT] = distiller.outputs.anchors.normaliser.item()
    return found


def detector_of(head: str, seed: int) -> Any:
    """Return a new detector in evaluation mode.

    A new CSPNeXt's features are so small that an RTMDet's logits differ from their bias in the last bits alone.
    """
    found = woken(config_of(head), seed).eval()
    with torch.no_grad():
        for layer in getattr(found.bbox_head, "rtm_cls", ()):
            layer.weight *= LARGER
    return found


def worker(rank: int) -> Losses:
    """Compute the losses of this worker's share in a group of two."""
    return losses_of(SHARES[rank])


@pytest.fixture(scope="module")
def together(gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory) -> list[Losses]:
    """Return what each of two workers computes on its share."""
    return gloo_pair.run(worker, tmp_path_factory.mktemp("workers"))


@pytest.fixture(scope="module")
def alone() -> list[Losses]:
    """Return what a single worker computes on each share."""
    return [losses_of(share) for share in SHARES]


@pytest.fixture(scope="module")
def whole() -> Losses:
    """Return what a single worker computes on both shares."""
    return losses_of(*SHARES)


@pytest.mark.parametrize("head", TERMS)
def test_positives_are_averaged_where_the_head_does_it(head: str, together: list[Losses], alone: list[Losses]) -> None:
    own = [share[head][COUNT] for share in alone]
    assert own[0] != own[1]
    expected = [sum(own) / WORKERS] * WORKERS if head in REDUCING else own
    found = [share[head][COUNT] for share in together]
    assert found == (pytest.approx(expected, rel=1e-6) if head == "rtmdet" else expected)  # a sum of overlaps


@pytest.mark.parametrize(("head", "term"), [(h, t.kind.replace("-", "_")) for h, terms in TERMS.items() for t in terms])
def test_a_workers_loss_follows_its_terms_rule(
    head: str, term: str, together: list[Losses], alone: list[Losses]
) -> None:
    divided = head in REDUCING and term in DIVIDED_BY_N and (head, term) not in DIVIDED_BY_OWN_WEIGHTS
    mean = sum(share[head][COUNT] for share in alone) / WORKERS
    for mine, single in zip(together, alone, strict=True):
        factor = single[head][COUNT] / mean if divided else 1.0
        assert single[head][term] > 0.0
        assert mine[head][term] == pytest.approx(single[head][term] * factor, rel=1e-4)


@pytest.mark.parametrize("head", REDUCING)
@pytest.mark.parametrize("term", ["bckd_cls", "bckd_loc"])
def test_bckd_of_two_workers_is_that_of_one(head: str, term: str, together: list[Losses], whole: Losses) -> None:
    """Without the level gate, which looks at a worker's own batch, and with a head that averages its positives."""
    mean = sum(share[head][term] for share in together) / WORKERS
    assert mean == pytest.approx(whole[head][term], rel=1e-4)


@pytest.mark.parametrize("term", ["ld_main", "ld_vlr"])
def test_ld_sums_over_a_workers_images(term: str, alone: list[Losses], whole: Losses) -> None:
    """One worker with all images has N times the mean loss of N workers: the sum, divided by nothing."""
    assert whole["gfl"][term] == pytest.approx(sum(share["gfl"][term] for share in alone), rel=1e-4)


@pytest.mark.parametrize("head", ["gfl", "yolox"])
@pytest.mark.parametrize("term", ["cwd", "fgd"])
def test_means_over_images_are_weighted_by_them(head: str, term: str, alone: list[Losses], whole: Losses) -> None:
    """One worker with all images has the mean of the shares', weighted by their numbers of images: 2 and 1 here."""
    mean = sum(len(images) * share[head][term] for images, share in zip(SHARES, alone, strict=True)) / 3
    assert whole[head][term] == pytest.approx(mean, rel=1e-4)
