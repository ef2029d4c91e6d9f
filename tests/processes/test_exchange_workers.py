"""A distilling step exchanges what the student alone exchanges, and one copy of the gradients holds the same bits as two."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from torch.nn.parallel import DistributedDataParallel

from tests.benchmarks.exchange import PLAIN_DDP, Exchanged, of_a_worker
from tests.processes.gloo import GlooPair
from tests.processes.test_worker_group import run
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job, sgd
from trainers.schema import Job, TrialSpec
from trainers.schema.schedule import Ema

AS_TRAINED, BESIDE = "as trained", "gradients beside the buckets"


@pytest.fixture(scope="module")
def counts(gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exchanged]:
    first, _ = gloo_pair.run(of_a_worker, tmp_path_factory.mktemp("counts"), True, (AS_TRAINED, BESIDE))
    return {name: Exchanged(**found) for name, found in first.items()}


def test_distillation_adds_no_collective_and_no_byte(counts: dict[str, Exchanged]) -> None:
    alone, ours = counts[PLAIN_DDP], counts[AS_TRAINED]
    assert ours.bytes > ours.gradients == alone.gradients > 0
    assert (ours.collectives, ours.buckets) == (alone.collectives, alone.buckets)
    assert ours.bytes <= alone.bytes  # a plain DDP also sends the buffers at each step


def test_gradients_lie_in_the_buckets(counts: dict[str, Exchanged]) -> None:
    ours, beside = counts[AS_TRAINED], counts[BESIDE]
    assert ours.shared
    assert not beside.shared
    assert (ours.collectives, ours.bytes, ours.loss) == (beside.collectives, beside.bytes, beside.loss)


@pytest.fixture(scope="module")
def trained(distilled: TrialSpec, gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Train a trial with both kinds of gradients, at once and in two chunks, clipped and averaged."""
    folder = tmp_path_factory.mktemp("trained")
    short = changed(distilled, dataset=dataset(val_images=3), schedule=sgd(clip_grad=1.0, ema=Ema(), val_interval=2))
    texts = {
        f"{kind}-{chunks or 'whole'}": job(
            short, folder / f"{kind}-{chunks or 'whole'}", micro_batch=chunks
        ).model_dump_json()
        for kind in ("shared", "beside")
        for chunks in (None, 1)
    }
    gloo_pair.run(work, folder, texts)
    return folder


def work(_rank: int, texts: dict[str, str]) -> None:
    """Be one worker of the group."""
    for name, text in texts.items():
        with patch(
            "trainers.loop.data_parallel.DistributedDataParallel",
            _beside if "beside" in name else DistributedDataParallel,
        ):
            run(Job.model_validate_json(text))


def _beside(module: Any, **given: Any) -> DistributedDataParallel:
    return DistributedDataParallel(module, **{**given, "gradient_as_bucket_view": False})


@pytest.mark.parametrize("chunks", ["whole", "1"])
def test_one_copy_of_the_gradients_has_the_bits_of_two(chunks: str, trained: Path) -> None:
    assert_same_run(trained / f"shared-{chunks}", trained / f"beside-{chunks}")
