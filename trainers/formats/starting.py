"""Let a detector start from another one's weights: all of them but those that depend on the classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainers.errors import TrialError
from trainers.formats.class_layout import ClassLayout
from trainers.formats.layouts import ModelWeights
from trainers.formats.weights import BACKBONE, Coverage, first_names, load_state, read_weights, require_numbers
from trainers.schema.checkpoint_classes import shortened, spelled
from trainers.schema.detector import DetectorWeights
from trainers.schema.starting import public_classes, source_of

COUNTER = "num_batches_tracked"  # of batch norms: torch before 0.4.1 wrote none, and nothing depends on it
UNNAMED = "the checkpoint names no classes"
UNKNOWN_ORDER = "its rows cannot be told apart by class"
NONE_SHARED = "no class of the dataset is among the checkpoint's"


@dataclass(frozen=True)
class StartReport:
    """Report the tensors that a detector takes from another one: of ``total`` all but those that depend on the classes.

    Of those, ``rows`` lists the tensors whose rows of the classes ``taken`` come from the checkpoint; ``fresh`` gives the
    reason why the others start anew. ``classes`` are the dataset's. ``unused`` are tensors of the file without a place.
    """

    source: str
    total: int
    rows: tuple[str, ...]
    fresh: Mapping[str, str]
    classes: tuple[str, ...]
    taken: tuple[str, ...]
    unused: tuple[str, ...] = ()
    renamed: Mapping[str, str] | None = None
    note: str = ""

    def describe(self) -> str:
        """Return one sentence for people."""
        whole = self.total - len(self.rows) - len(self.fresh)
        parts = [f"{whole} of {self.total} tensors are taken from {self.source.rpartition('/')[2]}"]
        if self.rows:
            others = tuple(name for name in self.classes if name not in self.taken)
            rest = f", those of {shortened(others)} start fresh" if others else ""
            parts.append(f"of {len(self.rows)} ({first_names(self.rows)}) the rows of {shortened(self.taken)}{rest}")
        for reason in dict.fromkeys(self.fresh.values()):
            names = tuple(key for key, why in self.fresh.items() if why == reason)
            parts.append(f"{len(names)} start fresh ({first_names(names)}): {reason}")
        if self.unused:
            parts.append(f"{len(self.unused)} of the file are not used ({first_names(self.unused)})")
        return "; ".join([*parts, self.note] if self.note else parts)

    def report(self) -> dict[str, Any]:
        """Return everything as plain data, all names included."""
        return {
            "source": self.source,
            "tensors": self.total,
            "taken": self.total - len(self.rows) - len(self.fresh),
            "rows_taken": list(self.rows),
            "classes_taken": list(self.taken),
            "classes_fresh": [name for name in self.classes if name not in self.taken],
            "fresh": dict(self.fresh),
            "unused": list(self.unused),
            "renamed": dict(self.renamed or {}),
            "note": self.note,
        }


def load_start(
    model: nn.Module, weights: DetectorWeights, layouts: Mapping[str, ClassLayout | None], classes: tuple[str, ...]
) -> StartReport:
    """Load a detector checkpoint into an initialised detector of other classes; return a report.

    ``layouts`` are the tensors that depend on the classes (see ``class_layouts``). They keep their initial values but for
    the rows of classes that the checkpoint knows by the same name, and of the background. Raises ``TrialError`` when any
    other tensor is not filled, when the checkpoint's backbone has more tensors, and when it holds NaN or infinity.
    """
    path = source_of(weights)
    found = read_weights(path)
    own = model.state_dict()  # shares its tensors with the model
    initial = {key: own[key].clone() for key in layouts}
    coverage = load_state(model, found.state)
    _require_fit(coverage, set(layouts), path)
    for key, value in initial.items():
        own[key].copy_(value)
    named = found.classes or public_classes(weights)
    rows, fresh, taken = _take_rows(own, _sources(found, coverage), layouts, (named and spelled(named), classes))
    require_numbers(model, path)
    unused = coverage.unused
    return StartReport(path, coverage.total, rows, fresh, classes, taken, unused, coverage.renamed, found.note)


def _require_fit(coverage: Coverage, by_class: set[str], path: str) -> None:
    """Raise ``TrialError`` unless all tensors come from the checkpoint that do not depend on the classes."""
    missing = [key for key in coverage.missing if key not in by_class and not key.endswith(COUNTER)]
    shapes = [f"{odd.key} {odd.here} here, {odd.there} there" for odd in coverage.misshapen if odd.key not in by_class]
    deeper = [key for key in coverage.unused if key.startswith(BACKBONE)]
    needed = coverage.total - len(by_class)
    wrong = {
        f"{len(missing) + len(shapes)} of {needed} tensors are not in it": (*shapes, *missing),
        f"{len(deeper)} tensors of its backbone have no place here": tuple(deeper),
    }
    said = [f"{text} ({first_names(names)})" for text, names in wrong.items() if names]
    if said:
        raise TrialError(
            f"checkpoint {path} is of another architecture than the detector: {'; '.join(said)}. Give the detector the "
            "config, width and depth of the checkpoint, or other weights"
        )


def _sources(found: ModelWeights, coverage: Coverage) -> dict[str, Tensor]:
    """Return the checkpoint's tensors by the names that the model has for them."""
    return {coverage.renamed.get(key, key): value for key, value in found.state.items()}


def _take_rows(
    own: Mapping[str, Tensor],
    there: Mapping[str, Tensor],
    layouts: Mapping[str, ClassLayout | None],
    names: tuple[tuple[str, ...] | None, tuple[str, ...]],
) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Copy rows of shared classes in place; return the tensors that have got some, reasons for others, and the classes."""
    theirs, ours = names
    shared = {name: theirs.index(name) for name in ours if name in theirs} if theirs else {}
    places = {place: ours.index(name) for name, place in shared.items()}
    rows, fresh = [], {}
    for key, layout in layouts.items():
        reason = _reason_against(layout, own[key], there.get(key), theirs, shared)
        if reason is None and layout is not None and theirs is not None:
            layout.copy(there[key], own[key], places, (len(theirs), len(ours)))
            rows.append(key)
        else:
            fresh[key] = reason or UNKNOWN_ORDER
    return tuple(rows), fresh, tuple(shared) if rows else ()


def _reason_against(
    layout: ClassLayout | None,
    own: Tensor,
    there: Tensor | None,
    theirs: tuple[str, ...] | None,
    shared: Mapping[str, int],
) -> str | None:
    """Return why no rows of a tensor can be taken over, ``None`` when some can."""
    if theirs is None:
        return UNNAMED
    if not shared:
        return NONE_SHARED
    if layout is None:
        return UNKNOWN_ORDER
    if there is None:
        return "the checkpoint has no such tensor"
    if there.shape[1:] != own.shape[1:] or there.shape[:1] != (layout.rows(len(theirs)),):
        return f"the checkpoint's is {tuple(there.shape)}, which does not go with its {len(theirs)} classes"
    return None
