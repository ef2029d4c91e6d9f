"""Read the classes of a checkpoint's classifier, in their order. Imports nothing heavy.

mmdet 2.x writes their names to ``meta.CLASSES``, mmdet 3.x and Stillhouse to ``meta.dataset_meta.classes``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.schema.class_names import COCO80
from trainers.schema.pickle_machine import run_pickle
from trainers.schema.pickled_objects import Opaque
from trainers.schema.torch_archive import DAMAGE, legacy_pickles, open_torch_file, pickle_of

KEYS = ("classes", "CLASSES")
LONGEST_NAME = 1000  # characters of a class's name
HEADER = 3  # pickles before the content, in torch's format before 1.6
SHOWN = 5  # names of a list in a sentence


@dataclass(frozen=True)
class ClassOrder:
    """Hold the position of each of a dataset's classes in a checkpoint; ``rows`` are positions there, in the dataset's order."""

    rows: tuple[int, ...]
    theirs: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Return whether the checkpoint has the classes in another order."""
        return self.rows != tuple(range(len(self.rows)))

    def describe(self) -> str:
        """Describe the treatment of another order."""
        return (
            f"the checkpoint has the dataset's classes in another order ({shortened(self.theirs)}): "
            "the rows of its classifier are put into the dataset's order"
        )


class OtherClasses(ValueError):
    """Report, in one sentence, that a checkpoint was trained on other classes than a dataset has."""


def class_order(theirs: tuple[str, ...] | None, ours: tuple[str, ...]) -> ClassOrder | None:
    """Return where a dataset's classes stand in a checkpoint that names ``theirs``; ``None`` when it names none.

    Raises ``OtherClasses`` unless the two sets of names are equal to the letter (see ``spelled``).
    """
    if theirs is None:
        return None
    theirs = spelled(theirs)
    if len(theirs) != len(ours) or len(set(theirs)) != len(theirs) or set(theirs) != set(ours):
        raise OtherClasses(_difference(theirs, ours))
    return ClassOrder(tuple(theirs.index(name) for name in ours), theirs)


def spelled(theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Return a checkpoint's class names, COCO's without the underscores of mmdet 1.x."""
    spaced = tuple(name.replace("_", " ") for name in theirs)
    return spaced if set(spaced) == set(COCO80) else theirs


def named_classes(content: Any) -> tuple[str, ...] | None:
    """Return the class names in a checkpoint's content, ``None`` when it has none."""
    meta = content.get("meta") if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return None
    places = [place for place in (meta.get("dataset_meta"), meta) if isinstance(place, dict)]
    found = [_names(place.get(key)) for place in places for key in KEYS]
    return next((names for names in found if names), None)


def classes_in(path: Path) -> tuple[str, ...] | None:
    """Return the class names in a checkpoint file, ``None`` when it has none or is no checkpoint. Executes nothing of it."""
    try:
        return named_classes(_plain_content(path))
    except DAMAGE:
        return None  # whoever loads the weights says what is wrong with the file


def holds_dictionary(path: Path) -> bool:
    """Return whether a file can be read as a checkpoint; the loader of the weights reports why one cannot."""
    try:
        return isinstance(_plain_content(path), dict)
    except DAMAGE:
        return False


def shortened(names: tuple[str, ...]) -> str:
    """Return names as text: the first few of many, and how many there are."""
    return f"{', '.join(names[:SHOWN])}, ...; {len(names)}" if len(names) > SHOWN else ", ".join(names)


def _names(value: Any) -> tuple[str, ...] | None:
    """Return names as mmdet writes them: a list, a tuple, or the one name of a tuple that lacks its comma."""
    names = (value,) if isinstance(value, str) else value
    if isinstance(names, list | tuple) and all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in names):
        return tuple(map(str, names))
    return None


def _difference(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    lists = f"the checkpoint was trained on the classes ({shortened(theirs)}), the dataset has ({shortened(ours)})"
    only = [name for name in ours if name not in theirs]
    respelled = {_folded(name): name for name in theirs}
    pairs = [f"{name} for {respelled[_folded(name)]}" for name in only if _folded(name) in respelled]
    if only and len(pairs) == len(only) and len(theirs) == len(ours):
        return f"{lists}; they differ in spelling only ({shortened(tuple(pairs))}): give them the same names"
    lacking = f"; it does not know {shortened(tuple(only))}" if only else ""
    return f"{lists}{lacking}: the two sets of names must be equal"


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _plain_content(path: Path) -> Any:
    """Return the contents of a torch checkpoint of either format, with tensors as opaque objects."""
    with open_torch_file(path) as found:
        if found.archive is not None:
            with pickle_of(found.archive) as (_, stream):
                return run_pickle(stream, _no_tensor)
        stream = legacy_pickles(found)
        for _ in range(HEADER):
            run_pickle(stream, _no_tensor)
        return run_pickle(stream, _no_tensor)


def _no_tensor(_: Any) -> Any:
    return Opaque("torch.Tensor")
