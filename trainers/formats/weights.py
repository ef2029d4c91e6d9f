"""Load weights from files that nobody vouches for, and say how much of the model they cover."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from trainers.errors import TrialError
from trainers.formats.class_rows import class_tensors, order_for, reorder
from trainers.formats.codings import Apart, apart
from trainers.formats.layouts import ModelWeights, StateDict, find_weights
from trainers.formats.state_loading import Misshapen, load_through_hooks
from trainers.formats.torch_data import read_data
from trainers.schema import Weights
from trainers.schema.being_read import being_read
from trainers.schema.error_text import first_line_of
from trainers.schema.manifest import require_whole
from trainers.schema.pickled_objects import Opaque, RefusedPickle
from trainers.schema.record import DamagedFile
from trainers.schema.remote import URL, FetchError, fetch
from trainers.schema.torch_archive import DAMAGE, NoCheckpoint

BACKBONE, HEAD = "backbone.", "bbox_head"
LONGEST = 200  # characters of a reader's error
OTHER_HEADS = ("bbox_head.", "rpn_head.", "roi_head.")


@dataclass(frozen=True)
class Coverage:
    """Hold the tensors of a model that a source of weights filled; ``note`` says how the source was read, if need be.

    ``renamed`` maps names in the source to the model's where the model's own loading hooks have converted them;
    ``left_out`` are tensors of the model that were not to be loaded.
    """

    total: int
    missing: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]
    unused: tuple[str, ...]
    source: str = "the checkpoint"
    note: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Return the share of the model's tensors that were loaded, 0 to 1."""
        lacking = len(self.missing) + len(self.misshapen) + len(self.left_out)
        return 1.0 - lacking / self.total if self.total else 1.0

    def describe(self) -> str:
        """Return one sentence with the numbers and the first names."""
        shapes = tuple(f"{odd.key} {odd.here} here, {odd.there} in {self.source}" for odd in self.misshapen)
        parts = [f"{self.share:.1%} of {self.total} tensors loaded"]
        renamed = tuple(f"{old} as {new}" for old, new in self.renamed.items())
        groups = {
            "missing": self.missing,
            "other shape": shapes,
            "left out": self.left_out,
            "unused": self.unused,
            "renamed": renamed,
        }
        for label, names in groups.items():
            if names:
                parts.append(f"{label}: {len(names)} ({first_names(names)})")
        return "; ".join([*parts, self.note] if self.note else parts)

    def report(self) -> dict[str, Any]:
        """Return everything as plain data, all names included."""
        shapes = [{"tensor": odd.key, "here": list(odd.here), "there": list(odd.there)} for odd in self.misshapen]
        names = {"missing": list(self.missing), "other_shape": shapes, "unused": list(self.unused)}
        told = {"left_out": list(self.left_out), "renamed": self.renamed, "note": self.note}
        return {"source": self.source, "share": self.share, "tensors": self.total, **names, **told}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint, by path or URL; nothing in the file is executed.

    Tensors and plain data are read as they are. Other objects, such as the training log that mmengine keeps beside the
    weights, become inert ``Opaque``. Raises ``TrialError`` when the file is missing, damaged, or holds
    something else than a dictionary.
    """
    try:
        if str(path).startswith(URL):
            path = fetch(str(path))
        with being_read(path):
            content = read_data(Path(path))
    except FetchError as error:
        raise TrialError(str(error)) from error
    except OSError as error:
        raise TrialError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except NoCheckpoint as error:
        raise TrialError(f"checkpoint {path} {error}") from error
    except DAMAGE as error:
        raise TrialError(f"checkpoint {path} is damaged, or is no checkpoint{_detail(error)}") from error
    if isinstance(content, Opaque):
        raise TrialError(
            f"checkpoint {path} holds a {ascii(content.name)[1:-1]}, not its weights: save its state_dict() instead"
        )
    if not isinstance(content, dict):
        raise TrialError(f"checkpoint {path} holds {type(content).__name__}, not a dictionary of weights")
    return content


def read_weights(path: str | Path) -> ModelWeights:
    """Return the model's weights in a checkpoint of any layout (see ``trainers.formats.layouts``)."""
    require_student(path)
    found = find_weights(read_checkpoint(path))
    if not found.state:
        raise TrialError(f"checkpoint {path} holds no weights")
    return found


def require_student(path: str | Path) -> None:
    """Raise ``TrialError`` when ``path`` is the student of a trial here and has changed since the trial wrote it."""
    try:
        require_whole(Path(path))
    except DamagedFile as error:
        raise TrialError(str(error)) from error


def read_state_dict(path: str | Path) -> StateDict:
    """Return the model's weights in a checkpoint as tensors by name."""
    return read_weights(path).state


def load_state(model: nn.Module, state: StateDict) -> Coverage:
    """Copy every tensor of ``state`` that fits into ``model``; return the coverage.

    Names are the model's, or those of older versions that the model's own loading hooks convert.
    """
    found = load_through_hooks(model, state)
    return Coverage(
        total=len(found.filled) + len(found.missing) + len(found.misshapen),
        missing=tuple(found.missing),
        misshapen=tuple(found.misshapen),
        unused=tuple(found.unused),
        renamed=found.renamed,
    )


def load_weights(model: nn.Module, weights: Weights, what: str, classes: tuple[str, ...] | None = None) -> Coverage:
    """Load ``weights`` into ``model``, a detector of ``classes``; return the coverage.

    A checkpoint that names the same classes in another order has the rows of its classifier put into the order of
    ``classes``. Raises ``TrialError`` when it names other classes, when it does not fill the classifier, when it covers less
    than ``weights.coverage`` of the model, and when it holds NaN or infinity.
    """
    found = read_weights(weights.path)
    order = order_for(found.classes, classes, weights.path)
    coverage = replace(load_state(model, found.state), note=found.note)
    if coverage.share < weights.coverage:
        raise TrialError(
            f"checkpoint {weights.path} does not fit the {what}: {coverage.describe()} "
            f"(at least {weights.coverage:.1%} asked for)"
        )
    _require_classifier(model, coverage, weights.path, what)
    require_numbers(model, weights.path, {*coverage.missing, *(odd.key for odd in coverage.misshapen)})
    if order is None or not order.differs:
        return coverage
    reorder(model, order)
    return replace(coverage, note="; ".join(filter(None, (found.note, order.describe()))))


def require_numbers(model: nn.Module, path: str, own: Collection[str] = ()) -> None:
    """Raise ``TrialError`` when weights that are not the model's ``own`` are NaN or infinite.

    Such a detector finds nothing and teaches NaN.
    """
    loaded = {key: tensor for key, tensor in model.state_dict().items() if key not in own}
    broken = tuple(key for key, tensor in loaded.items() if tensor.is_floating_point() and not tensor.isfinite().all())
    if broken:
        raise TrialError(
            f"checkpoint {path} holds NaN or infinity in {len(broken)} of {len(loaded)} tensors ({first_names(broken)}): "
            "its training diverged"
        )


def _require_classifier(model: nn.Module, coverage: Coverage, path: str, what: str) -> None:
    """Raise ``TrialError`` when a tensor whose rows are classes was not loaded: it would answer at random."""
    lacking = [
        key for key in class_tensors(model) if key in {*coverage.missing, *(odd.key for odd in coverage.misshapen)}
    ]
    if lacking:
        raise TrialError(
            f"checkpoint {path} does not fill the classifier of the {what} ({first_names(tuple(lacking))}), so its scores would be "
            f"random at any coverage: {coverage.describe()}"
        )


def inherit(student: nn.Module, teacher: nn.Module) -> Coverage:
    """Copy the teacher but for its backbone into an initialised student, where shapes agree; return the coverage.

    Parts of the head whose outputs mean something else in the student's head are left out, and named with the reason.
    The coverage counts the student's tensors outside its backbone. The inheriting strategy of FGD and ICD.
    """
    heads = getattr(student, HEAD, None), getattr(teacher, HEAD, None)
    if None in heads:  # a second stage, which means nothing to other detectors
        differing = Apart(() if type(student) is type(teacher) else OTHER_HEADS)
    else:
        differing = apart(*heads)
    state = {key: value for key, value in teacher.state_dict().items() if not key.startswith(BACKBONE)}
    left_out = {key for key in (*student.state_dict(), *state) if differing.holds(key)}
    coverage = load_state(student, {key: value for key, value in state.items() if key not in left_out})
    own = [key for key in student.state_dict() if not key.startswith(BACKBONE)]
    return replace(
        coverage,
        total=len(own),
        missing=tuple(key for key in coverage.missing if key in own and key not in left_out),
        left_out=tuple(key for key in own if key in left_out),
        source="the teacher",
        note="; ".join(differing.reasons),
    )


def first_names(names: tuple[str, ...]) -> str:
    """Return the first three names as text."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _detail(error: Exception) -> str:
    """Return the first line of our own refusal; the words of a decoder that came upon damage help nobody."""
    if not isinstance(error, RefusedPickle):
        return ""
    said = "".join(character if character.isprintable() else "?" for character in first_line_of(str(error))[:LONGEST])
    return f": {said}"
