"""Load weights from files that nobody vouches for, and say how much of the model they cover."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from trainers.errors import TrialError
from trainers.layouts import Found, StateDict, find_weights
from trainers.rebuild import Opaque
from trainers.spec import Weights
from trainers.spec.manifest import require_whole
from trainers.spec.record import DamagedFile
from trainers.spec.remote import FetchError, fetch
from trainers.torch_data import read_data, require_stored

BACKBONE = "backbone."
URL = ("https://", "http://")


class Misshapen(NamedTuple):
    """Name a tensor that has one shape in the model and another in the source."""

    key: str
    here: tuple[int, ...]
    there: tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """Tell which of the model's tensors a source of weights filled; ``note`` says how the source was read, if need be."""

    total: int
    missing: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]
    unused: tuple[str, ...]
    source: str = "the checkpoint"
    note: str = ""

    @property
    def share(self) -> float:
        """Return the share of the model's tensors that were loaded, 0 to 1."""
        return 1.0 - (len(self.missing) + len(self.misshapen)) / self.total if self.total else 1.0

    def describe(self) -> str:
        """Return one sentence with the numbers and the first names."""
        shapes = tuple(f"{odd.key} {odd.here} here, {odd.there} in {self.source}" for odd in self.misshapen)
        parts = [f"{self.share:.1%} of {self.total} tensors loaded"]
        for label, names in (("missing", self.missing), ("other shape", shapes), ("unused", self.unused)):
            if names:
                parts.append(f"{label}: {len(names)} ({_first(names)})")
        return "; ".join([*parts, self.note] if self.note else parts)

    def report(self) -> dict[str, Any]:
        """Return everything as plain data, all names included."""
        shapes = [{"tensor": odd.key, "here": list(odd.here), "there": list(odd.there)} for odd in self.misshapen]
        names = {"missing": list(self.missing), "other_shape": shapes, "unused": list(self.unused)}
        return {"source": self.source, "share": self.share, "tensors": self.total, **names, "note": self.note}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint, by path or URL; nothing in the file is executed.

    Tensors and plain data are read as they are. Other objects, such as the training log that mmengine keeps beside the
    weights, become inert ``trainers.rebuild.Opaque``. Raises ``TrialError`` when the file is missing, damaged, or holds
    something else than a dictionary.
    """
    try:
        if str(path).startswith(URL):
            path = fetch(str(path))
        content = _read(Path(path))
    except FetchError as error:
        raise TrialError(str(error)) from error
    except OSError as error:
        raise TrialError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except Exception as error:  # on damaged bytes torch's reader raises nearly anything
        raise TrialError(f"checkpoint {path} is damaged, or is no checkpoint{_detail(error)}") from error
    if isinstance(content, Opaque):
        raise TrialError(f"checkpoint {path} holds a {content.name}, not its weights: save its state_dict() instead")
    if not isinstance(content, dict):
        raise TrialError(f"checkpoint {path} holds {type(content).__name__}, not a dictionary of weights")
    return content


def _read(path: Path) -> Any:
    """Read with torch what it is willing to read: it knows kinds of tensors that ``read_data`` leaves out."""
    require_stored(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # the file names something that is not on torch's list, or is damaged
        return read_data(path)


def read_weights(path: str | Path) -> Found:
    """Return the model's weights in a checkpoint, whatever its layout (see ``trainers.layouts``)."""
    require_student(path)
    found = find_weights(read_checkpoint(path))
    if not found.state:
        raise TrialError(f"checkpoint {path} holds no weights")
    return found


def require_student(path: str | Path) -> None:
    """Raise ``TrialError`` when ``path`` is the student of a trial here and not what the trial has written."""
    try:
        require_whole(Path(path))
    except DamagedFile as error:
        raise TrialError(str(error)) from error


def read_state_dict(path: str | Path) -> StateDict:
    """Return the model's weights in a checkpoint as tensors by name."""
    return read_weights(path).state


def load_state(model: nn.Module, state: StateDict) -> Coverage:
    """Copy every tensor of ``state`` whose name and shape fit into ``model``; return what was covered."""
    coverage = _compare(model.state_dict(), state)
    skipped = {odd.key for odd in coverage.misshapen} | set(coverage.unused)
    model.load_state_dict({key: value for key, value in state.items() if key not in skipped}, strict=False)
    return coverage


def load_weights(model: nn.Module, weights: Weights, what: str) -> Coverage:
    """Load ``weights`` into ``model``; raise ``TrialError`` when they cover less than ``weights.coverage`` of it."""
    found = read_weights(weights.path)
    coverage = replace(load_state(model, found.state), note=found.note)
    if coverage.share < weights.coverage:
        raise TrialError(
            f"checkpoint {weights.path} does not fit the {what}: {coverage.describe()} "
            f"(at least {weights.coverage:.1%} asked for)"
        )
    return coverage


def inherit(student: nn.Module, teacher: nn.Module) -> Coverage:
    """Copy all of the teacher but its backbone into an initialised student, where shapes agree; return what was covered.

    The coverage counts the student's tensors outside its backbone. The inheriting strategy of FGD and ICD.
    """
    own, theirs = (_without_backbone(model.state_dict()) for model in (student, teacher))
    coverage = replace(_compare(own, theirs), source="the teacher")
    load_state(student, theirs)
    return coverage


def _without_backbone(state: StateDict) -> StateDict:
    return {key: value for key, value in state.items() if not key.startswith(BACKBONE)}


def _compare(own: StateDict, state: StateDict) -> Coverage:
    shapes = [(key, tuple(own[key].shape), tuple(state[key].shape)) for key in own if key in state]
    return Coverage(
        total=len(own),
        missing=tuple(key for key in own if key not in state),
        misshapen=tuple(Misshapen(*shape) for shape in shapes if shape[1] != shape[2]),
        unused=tuple(key for key in state if key not in own),
    )


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _detail(error: Exception) -> str:
    """Return the first line of what the reader says, but not torch's advice to switch the safety off."""
    first_line = (str(error).strip().splitlines() or [""])[0]
    return "" if "weights_only" in first_line else f" ({type(error).__name__}: {first_line})"
