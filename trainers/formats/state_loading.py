"""Load a state dict through a model's own loading hooks, and tell which of its tensors were really read.

mmdet, mmcv and torch convert files of their older versions where they load them: ``_load_from_state_dict`` of a module
renames tensors (FCOS's ``fcos_cls`` to ``conv_cls``, a deformable convolution's ``conv2_offset`` to ``conv2.conv_offset``,
a two-stage detector's ``rpn_head`` to ``bbox_head``) or computes one from others.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.compat.torch_parts import load_own_tensors, own_children, own_tensors, version_of
from trainers.errors import TrialError
from trainers.formats.layouts import StateDict
from trainers.schema.error_text import first_line_of


class Misshapen(NamedTuple):
    """Name a tensor that has one shape in the model and another in the source."""

    key: str
    here: tuple[int, ...]
    there: tuple[int, ...]


@dataclass
class LoadResult:
    """Hold the outcome: the model's ``filled``, ``missing`` and ``misshapen`` tensors, the source's ``unused`` ones.

    ``renamed`` maps names in the source to those that the model's hooks gave them.
    """

    filled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    misshapen: list[Misshapen] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


def load_through_hooks(model: nn.Module, state: StateDict) -> LoadResult:
    """Copy fitting tensors of ``state`` into ``model`` and return the outcome for each; the rest stays unchanged.

    Unlike ``load_state_dict`` this shows every module the whole state: hooks that look beside their own module, as those
    of deformable convolutions do, find nothing in the part that newer versions of torch and mmengine show them.

    Raises ``TrialError`` when a tensor of the right shape cannot be copied.
    """
    walk = _Walk(model, state)
    walk.visit(model, "")
    walk.found.unused = walk.left_over()
    return walk.found


class _Walk:
    """Visit all modules in the order of ``load_state_dict``."""

    def __init__(self, model: nn.Module, state: StateDict) -> None:
        self._state = {key: value.detach() for key, value in state.items()}  # objects of ours, to be known when renamed
        self._source = dict(self._state)
        self._names = {id(value): key for key, value in self._source.items()}
        self._absent = [key for key in model.state_dict() if key not in state]
        self._read: set[int] = set()
        self.found = LoadResult()

    def visit(self, module: nn.Module, prefix: str) -> None:
        own = own_tensors(module)
        before = {name: tensor.clone() for name, tensor in own.items() if prefix + name not in self._state}
        self._require_copied(load_own_tensors(module, self._state, prefix, self._metadata(module, prefix)))
        filled = [name for name in own if self._judge(prefix + name, own[name])]
        self._derived(prefix, before, own, has_read=bool(filled))
        for name, child in own_children(module):
            self.visit(child, f"{prefix}{name}.")

    def left_over(self) -> list[str]:
        """Return the source's tensors that nothing has read or taken out."""
        rest = (id(value) for value in self._state.values())
        return [self._names[number] for number in rest if number in self._names and number not in self._read]

    def _metadata(self, module: nn.Module, prefix: str) -> dict[str, Any]:
        """Return the version of the module's part of the source: the module's own where no name is absent, else unknown."""
        if any(key.startswith(prefix) for key in self._absent):
            return {}
        return {"version": version_of(module)}

    def _judge(self, key: str, own: Tensor) -> bool:
        """Note whether a tensor of the model was read, has another shape, or is missing; tell whether it was read."""
        value = self._state.get(key)
        if value is None or value is own:  # torch's norms put their own counter into a state that has none
            self.found.missing.append(key)
            return False
        self._read.add(id(value))
        if (name := self._names.get(id(value), key)) != key:
            self.found.renamed[name] = key
        if not _fits(own, value):
            self.found.misshapen.append(Misshapen(key, tuple(own.shape), tuple(value.shape)))
            return False
        self.found.filled.append(key)
        return True

    def _derived(self, prefix: str, before: StateDict, own: StateDict, *, has_read: bool) -> None:
        """Count tensors that the module has computed from those that it has read."""
        for name, old in before.items():
            key = prefix + name
            if has_read and key in self.found.missing and not torch.equal(old, own[name]):
                self.found.missing.remove(key)
                self.found.filled.append(key)

    @staticmethod
    def _require_copied(errors: list[str]) -> None:
        others = [error for error in errors if not error.startswith("size mismatch")]
        if others:
            raise TrialError(f"the weights cannot be used: {first_line_of(others[0])}")


def _fits(own: Tensor, value: Tensor) -> bool:
    """Return whether torch copies ``value``: shapes are equal, but for scalars, which torch 0.3 wrote with one axis."""
    return own.shape == value.shape or (own.dim() == 0 and tuple(value.shape) == (1,))
