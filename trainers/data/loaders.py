"""Build the data stream: batches that are functions of (seed, step) alone."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from trainers.data.repeated import without_mixing
from trainers.data.samples import sizes_of
from trainers.data.seeding import derive, seed_everything
from trainers.errors import TrialError
from trainers.schema.error_text import last_line

MOST_EVALUATION_LOADERS = 2
WORTH = 256  # images of one worker


class SeededDataset(Dataset[Any]):
    """Read items addressed by (epoch, index); augmentation depends on (seed, epoch, index), not on who reads it.

    From epoch ``closing_from_epoch`` on, counted from 0, images are no longer mixed with others.
    """

    def __init__(self, dataset: Any, seed: int, closing_from_epoch: int | None = None) -> None:
        self.dataset = dataset
        self.seed = seed
        self.closing_from_epoch = closing_from_epoch

    def __getitem__(self, address: tuple[int, int]) -> Any:
        epoch, index = address
        seed_everything(derive(self.seed, "augment", epoch, index))
        closing = self.closing_from_epoch is not None and epoch >= self.closing_from_epoch
        return _read(self.dataset, index, closing=closing)


def _read(dataset: Any, index: int, *, closing: bool = False) -> Any:
    try:
        return without_mixing(dataset, index) if closing else dataset[index]
    except (OSError, AssertionError) as error:  # mmcv asserts that a file could be decoded
        raise TrialError(f"cannot read image {index} of the dataset: {error}") from error
    except cv2.error as error:  # an empty file, sides that no image has: OpenCV names no file
        path = dataset.get_data_info(index).get("img_path", "an image that is drawn")
        raise TrialError(f"cannot read image {index} of the dataset: {path}: {_sentence(error)}") from error


def _sentence(error: cv2.error) -> str:
    """Return the rule of OpenCV's that the image breaks, without the place in its source."""
    return f"it is damaged, or no such image can be used ({str(getattr(error, 'err', '')).strip()})"


def epoch_batches(wide: NDArray[np.bool_], batch_size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the epoch's global batches, int64 (batches, batch_size), as image indices.

    A batch holds images of one orientation (``wide``, bool (images,)) as far as possible, as mmdet's
    ``AspectRatioBatchSampler`` does for each worker, so that little is padded. Every image comes at least once; the
    last batches are filled up with images of the epoch's beginning.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(wide))
    upright, lying = order[~wide[order]], order[wide[order]]
    whole = [_whole_batches(group, batch_size) for group in (upright, lying)]
    rest = np.concatenate(
        [group[len(batches) * batch_size :] for group, batches in zip((upright, lying), whole, strict=True)]
    )
    missing = -len(rest) % batch_size
    rest = np.concatenate([rest, np.resize(order, missing)]).astype(np.int64)
    batches = np.concatenate([*whole, rest.reshape(-1, batch_size)])
    shuffled: NDArray[np.int64] = np.random.default_rng((seed, epoch, 1)).permutation(batches)
    return shuffled


def _whole_batches(group: NDArray[np.int64], batch_size: int) -> NDArray[np.int64]:
    count = len(group) // batch_size
    return group[: count * batch_size].reshape(count, batch_size)


def orientations(dataset: Any) -> NDArray[np.bool_]:
    """Return for each image whether it is at least as wide as it is high, bool (images,)."""
    sizes = sizes_of(dataset)
    wide: NDArray[np.bool_] = sizes[:, 0] >= sizes[:, 1]
    return wide


class TrainStream:
    """Yield this worker's share of every global batch, from any step on.

    Step ``s`` of a trial sees the same images with the same augmentation in every run and after every restart; the
    workers' shares together are the global batch, for any number of workers. From epoch ``closing_from_epoch`` on,
    counted from 0, Mosaic and MixUp are off. ``pinned`` puts batches where a GPU fetches them from while the CPU goes on.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        batch_size: int,
        seed: int,
        rank: int,
        world: int,
        loader_workers: int,
        pinned: bool = False,
        closing_from_epoch: int | None = None,
    ) -> None:
        self._dataset = SeededDataset(dataset, seed, closing_from_epoch)
        self._wide = orientations(dataset)
        self._batch_size, self._seed = batch_size, seed
        share, self._left_over = divmod(batch_size, world)
        self._world = world
        self._mine = slice(rank * share, (rank + 1) * share)
        self._loader_workers, self._pinned = loader_workers, pinned

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of global batches of one epoch."""
        return len(epoch_batches(self._wide, self._batch_size, self._seed, 0))

    def batches(self, first_step: int, last_step: int) -> Iterator[Any]:
        """Yield raw (not yet preprocessed) batches for steps ``first_step`` up to, not including, ``last_step``.

        Raise ``TrialError`` for batches that the workers cannot share equally; a trial that is only evaluated has none.
        """
        if last_step > first_step and self._left_over:
            raise TrialError(
                f"a global batch of {self._batch_size} images cannot be shared equally among {self._world} workers"
            )
        addresses = self._addresses(first_step, last_step)
        yield from _loaded(_loader(self._dataset, addresses, self._loader_workers, pinned=self._pinned))

    def _addresses(self, first_step: int, last_step: int) -> Iterator[list[tuple[int, int]]]:
        per_epoch = self.steps_per_epoch
        for epoch in range(first_step // per_epoch, -(-last_step // per_epoch)):
            plan = epoch_batches(self._wide, self._batch_size, self._seed, epoch)
            start = epoch * per_epoch
            for batch in plan[max(first_step - start, 0) : last_step - start]:
                yield [(epoch, int(index)) for index in batch[self._mine]]


def _loader(dataset: Any, sampler: Iterable[Any], workers: int, *, pinned: bool, stay: bool = False) -> DataLoader[Any]:
    """Return a loader that reads batches of ``sampler`` in processes, which ``stay`` between passes."""
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=pseudo_collate,
        num_workers=workers,
        multiprocessing_context="forkserver" if workers else None,
        worker_init_fn=_calm_worker,
        pin_memory=pinned,
        persistent_workers=stay and workers > 0,
        generator=torch.Generator(),  # else it draws a number from the one that training uses
    )


def _loaded(loader: Iterable[Any]) -> Iterator[Any]:
    """Yield a loader's items; an error from one of its processes is preceded by that process's traceback."""
    try:
        yield from loader
    except TrialError as error:
        sentence = last_line(error)
        raise TrialError(sentence.removeprefix(f"{TrialError.__module__}.{TrialError.__name__}: ")) from error


def _calm_worker(_: int) -> None:
    """Keep OpenCV from starting threads of its own in a loader process."""
    cv2.setNumThreads(0)


class EvaluationStream:
    """Yield this worker's share of a dataset in batches of equally large images, as often as it is iterated.

    None is padded for another. ``loader_workers`` processes read ahead; they stay from one evaluation to the next, until
    ``close``, for starting them takes seconds. 0: the iterating process reads.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        rank: int,
        world: int,
        loader_workers: int = 0,
        pinned: bool = False,
        batch_size: int = 8,
    ) -> None:
        runs = list(_same_size_runs(dataset, range(rank, len(dataset), world), batch_size))
        self._loader: DataLoader[Any] | None = _loader(Items(dataset), runs, loader_workers, pinned=pinned, stay=True)

    def __iter__(self) -> Iterator[Any]:
        if self._loader is None:
            raise RuntimeError("the stream has been closed")
        return _loaded(self._loader)

    def close(self) -> None:
        """End the processes that read ahead."""
        self._loader = None


class Items(Dataset[Any]):
    """Read a dataset's items by index, with errors that name the image."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        return _read(self.dataset, index)


def evaluation_loaders(images: int, loader_workers: int) -> int:
    """Return how many processes read ``images`` of this worker's for an evaluation, of those that training has.

    Reading an image takes 6 ms and finding its objects several times that, so two keep up; below ``WORTH`` images they
    would take longer to start than to read.
    """
    return min(loader_workers, MOST_EVALUATION_LOADERS) if images >= WORTH else 0


def evaluation_batches(dataset: Any, *, rank: int, world: int, batch_size: int = 8) -> Iterator[Any]:
    """Yield this worker's share of the dataset once, read by this process (see ``EvaluationStream``)."""
    yield from EvaluationStream(dataset, rank=rank, world=world, batch_size=batch_size)


def _same_size_runs(dataset: Any, indices: Sequence[int], longest: int) -> Iterator[list[int]]:
    run: list[int] = []
    size, sizes = None, sizes_of(dataset).tolist()
    for index in indices:
        if run and (len(run) == longest or sizes[index] != size):
            yield run
            run = []
        size = sizes[index]
        run.append(index)
    if run:
        yield run
