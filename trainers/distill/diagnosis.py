"""Find out where a loss stopped being finite: which output, which pyramid level, which images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.distill.head_outputs import HeadOutputs, TeacherStudentOutputs
from trainers.distill.terms.base import Term


@dataclass(frozen=True)
class Evidence:
    """Hold one step's predictions without graph, until it is known that its losses were finite."""

    step: int
    names: tuple[str, ...]
    image_ids: tuple[Any, ...]
    head_outputs: HeadOutputs
    outputs: TeacherStudentOutputs | None

    def describe(self, name: str, terms: Mapping[str, Term]) -> str:
        """Return where loss ``name`` is not finite, as ``level 2 (stride 32), images 139, 285``."""
        places = list(self._places(name, terms))
        if not places:
            return f"no single level or image, images {self._named(range(len(self.image_ids)))}"
        levels = sorted({level for level, _ in places})
        strides = self.head_outputs.adapter.level_strides
        where = ", ".join(f"level {level}" + (f" (stride {strides[level]})" if strides else "") for level in levels)
        return f"{where}, images {self._named(sorted({image for _, image in places}))}"

    def _places(self, name: str, terms: Mapping[str, Term]) -> Iterator[tuple[int, int]]:
        """Yield (level, image): of outputs that are not finite, else of anchors on which the term is not."""
        found = list(infinite_outputs(self.head_outputs.outs))
        if self.outputs is not None:
            found += infinite_outputs(self.outputs.teacher.outs)
        if found or self.outputs is None or name not in terms or terms[name].focus(self.outputs) is None:
            yield from found
            return
        for level in range(self.outputs.anchors.num_levels):
            for image in range(len(self.image_ids)):
                if not torch.isfinite(terms[name](self.outputs.only(level, image))):
                    yield level, image

    def _named(self, images: Any) -> str:
        return ", ".join(str(self.image_ids[image]) for image in images)


def infinite_outputs(outs: Any) -> Iterator[tuple[int, int]]:
    """Yield (level, image) of every output map, lists over levels of (B, ...), that is not finite everywhere."""
    for levels in outs:
        for level, values in enumerate(levels):
            broken: Tensor = ~torch.isfinite(values).flatten(1).all(1)
            yield from ((level, int(image)) for image in broken.nonzero())
