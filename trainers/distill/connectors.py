"""Build the modules that terms train beside the student: they bring its features to the teacher's channels and shape.

They are no part of the student: neither its average nor its export contains them.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from mmcv.cnn import ContextBlock
from torch import Tensor, nn

from trainers.data.seeding import derive
from trainers.errors import TrialError

SIDES = (128, 512)  # pixels: every stride up to 128 gives a map of its own size; SSD needs more to have all its levels
T = TypeVar("T", bound=nn.Module)
Shape = tuple[int, int]  # a level's channels, and the rows of its map of the small image


@torch.no_grad()
def pyramid_shapes(detector: Any) -> tuple[Shape, ...]:
    """Return the shapes of a detector's pyramid, finest first, by showing it a small black image; nothing is changed."""
    modes = [(module, module.training) for module in detector.modules()]
    detector.eval()
    try:
        features = _features(detector)
    finally:
        for module, mode in modes:
            module.training = mode
    return tuple((level.shape[1], level.shape[2]) for level in features)


def _features(detector: Any) -> Any:
    """Return the features of the smallest black image that the detector can take."""
    weight = next(detector.parameters())
    for side in SIDES[:-1]:
        with suppress(RuntimeError):  # of a kernel that is larger than its map
            return detector.extract_feat(weight.new_zeros(1, 3, side, side))
    return detector.extract_feat(weight.new_zeros(1, 3, SIDES[-1], SIDES[-1]))


@dataclass(frozen=True)
class Pyramids:
    """Hold the shapes of student's and teacher's pyramids, and the seed that connectors between them begin with."""

    student: tuple[Shape, ...]
    teacher: tuple[Shape, ...]
    seed: int

    def common(self, levels: int) -> tuple[tuple[int, int], ...]:
        """Return the (student's, teacher's) levels of equal stride, the finest ``levels`` of them.

        Raises ``TrialError`` when there is none.
        """
        found = tuple(self._common())[:levels]
        if not found:
            raise TrialError(
                "student and teacher have no pyramid level of equal stride: their features cannot be compared"
            )
        return found

    def _common(self) -> Iterator[tuple[int, int]]:
        mine, theirs = 0, 0
        while mine < len(self.student) and theirs < len(self.teacher):
            rows = self.student[mine][1], self.teacher[theirs][1]
            if rows[0] == rows[1]:
                yield mine, theirs
            mine, theirs = mine + (rows[0] >= rows[1]), theirs + (rows[1] >= rows[0])

    def projectors(self, term: str, levels: int, *, always: bool = False) -> nn.ModuleList | None:
        """Return a 1x1 convolution from student to teacher for each common level; ``None`` where no channels differ.

        ``always`` makes them between equal channels too.
        """
        widths = [(self.student[mine][0], self.teacher[theirs][0]) for mine, theirs in self.common(levels)]
        if not always and all(mine == theirs for mine, theirs in widths):
            return None
        return self.seeded(term, "projector", lambda: nn.ModuleList(projector(*width) for width in widths))

    def of_each_level(self, term: str, part: str, levels: int, build: Callable[[int], nn.Module]) -> nn.ModuleList:
        """Return ``build(channels)`` for the teacher's channels of each common level."""
        channels = [self.teacher[theirs][0] for _, theirs in self.common(levels)]
        return self.seeded(term, part, lambda: nn.ModuleList(map(build, channels)))

    def seeded(self, term: str, part: str, build: Callable[[], T]) -> T:
        """Return the module that ``build`` makes, as a function of the seed, the term and the part alone."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self.seed, "connector", term, part))
            return build()


def projector(student: int, teacher: int) -> nn.Conv2d:
    """Return a 1x1 convolution, initialised as those of mmdet's FPN are."""
    layer = nn.Conv2d(student, teacher, 1)
    nn.init.xavier_uniform_(layer.weight)
    zero(layer.bias)
    return layer


def zero(*weights: Tensor | None) -> None:
    """Set weights to 0."""
    for weight in weights:
        if weight is not None:
            nn.init.zeros_(weight)


def generator(channels: int) -> nn.Sequential:
    """Return MGD's block: two 3x3 convolutions with a ReLU between, initialised by torch's default."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
    )


def context_block(channels: int) -> ContextBlock:
    """Return FGD's relation, a global context block (GcNet) with half the channels inside: it begins as the identity."""
    return ContextBlock(channels, ratio=0.5)
