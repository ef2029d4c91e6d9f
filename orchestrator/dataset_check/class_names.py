"""Compare the classes of a study with the names that its annotation files have."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.study.wording import alternatives, closest, counted, enumeration
from trainers.schema.annotations import AnnotatedSplit, FileDataset
from trainers.schema.annotations.problems import PRESETS
from trainers.schema.annotations.wording import boxes, visible
from trainers.schema.dataset import class_names

SHOWN_CLASSES, SHOWN_NAMES = 3, 10  # names of each side that one message gives


@dataclass(frozen=True, slots=True)
class Names:
    """Count the boxes of one split by name: of the study's classes (``called``) and of all ``others``.

    ``categories`` are the names that a COCO file declares, with boxes or without; ``None`` where nothing is declared.
    """

    called: Mapping[str, int]
    others: Mapping[str, int]
    categories: frozenset[str] | None

    @property
    def undeclared(self) -> frozenset[str]:
        """Return the classes of the study that a COCO file does not declare."""
        return frozenset(self.called) - self.categories if self.categories is not None else frozenset()


@dataclass(frozen=True, slots=True)
class OtherSpellings:
    """Hold the ``message`` that a split's boxes have names of the study's classes in another spelling.

    ``names`` are the files' spellings. This is a warning: the study may mean two classes by them.
    """

    split: str
    names: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class UnknownClasses:
    """Hold the ``message`` that no box of these splits has the name of these classes."""

    splits: tuple[str, ...]
    classes: tuple[str, ...]
    message: str


def names_of(split: AnnotatedSplit, dataset: FileDataset) -> Names:
    """Return the names in a split, those of boxes that are not used among them."""
    labels = Counter(box.label for image in split.images for box in image.boxes)
    called = {name: labels[label] for label, name in enumerate(class_names(dataset))}
    return Names(called, dict(split.others), frozenset(split.names) if dataset.kind != "voc" else None)


def names_by_split(dataset: FileDataset, splits: Iterable[AnnotatedSplit]) -> dict[str, Names]:
    """Return the names in each split that can be compared with the study's classes."""
    return {split.name: names_of(split, dataset) for split in splits if split.images and split.notes.names_all}


def unknown_classes(dataset: FileDataset, found: Mapping[str, Names]) -> list[UnknownClasses]:
    """Return the classes that are likely to be misspelt, or that the files do not know at all.

    ``found`` holds the splits that could be read. Of a list such as ``coco80`` files may well lack some classes.
    """
    classes = class_names(dataset)
    absent = {split: [name for name in classes if not names.called[name]] for split, names in found.items()}
    nowhere = [name for name in classes if found and all(name in lacking for lacking in absent.values())]
    told = list(_nowhere(dataset, nowhere, found))
    for split, names in found.items():
        elsewhere = {name for other, its in found.items() if other != split for name in its.others}
        fresh = {name: count for name, count in names.others.items() if name not in elsewhere}
        here = [name for name in absent[split] if name not in nowhere]
        told += [
            UnknownClasses((split,), (name,), f"no box of {split} is called {visible(name)}; its files have {guess}")
            for name, guess in _guesses(here, fresh)
        ]
    return told


def other_spellings(
    dataset: FileDataset, found: Mapping[str, Names], unknown: Iterable[UnknownClasses]
) -> list[OtherSpellings]:
    """Return the boxes that are left out because the files spell their class in a second way.

    ``unknown`` are the classes that no box has: of those it is told already which name is meant.
    """
    unknown, classes = list(unknown), {_folded(name): name for name in class_names(dataset)}
    told = []
    for split, names in found.items():
        known = told_of(unknown, split)
        meant = {other: classes.get(_folded(other)) for other, count in names.others.items() if count}
        pairs = {other: name for other, name in meant.items() if name is not None and name not in known}
        if pairs:
            told.append(OtherSpellings(split, tuple(pairs), _spelt(split, pairs, names)))
    return told


def _spelt(split: str, pairs: Mapping[str, str], names: Names) -> str:
    """Describe the classes that a split spells differently; lists only the first ones of many."""
    shown = list(pairs)[:SHOWN_CLASSES]
    others = [
        f"{boxes(names.others[other])} {'is' if names.others[other] == 1 else 'are'} called {other!r}"
        for other in shown
    ]
    asked = [f"{name!r} ({names.called[name]})" for name in dict.fromkeys(pairs[other] for other in shown)]
    more = f"; {counted(len(pairs) - len(shown), 'more name')} like these" if len(pairs) > len(shown) else ""
    question = "same class in another spelling?" if len(asked) == 1 else "same classes in another spelling?"
    return f"{split}: {enumeration(others)}; the study asks for {enumeration(asked)}: {question}{more}"


def told_of(found: Iterable[UnknownClasses], split: str) -> frozenset[str]:
    """Return the classes of which something is said for a split."""
    return frozenset(name for item in found if split in item.splits for name in item.classes)


def _nowhere(dataset: FileDataset, nowhere: Sequence[str], found: Mapping[str, Names]) -> Iterator[UnknownClasses]:
    """Yield a guess for each class without boxes that is likely to be misspelt, and one message for all others."""
    splits, others = tuple(found), _total(names.others for names in found.values())
    guesses = {} if dataset.classes in PRESETS else dict(_guesses(nowhere, others))
    for name, guess in guesses.items():
        yield UnknownClasses(splits, (name,), f"no box is called {visible(name)}; the files have {guess}")
    rest = [name for name in nowhere if name not in guesses and _is_wanted(name, dataset, found)]
    every = _total([others, *(names.called for names in found.values())])
    if rest and +every:
        shown = [
            *map(visible, rest[:SHOWN_CLASSES]),
            *([f"{len(rest) - SHOWN_CLASSES} more"] if len(rest) > SHOWN_CLASSES else []),
        ]
        message = f"no box is called {alternatives(shown)}; the files have {_listed(every)}"
        yield UnknownClasses(splits, tuple(rest), message)


def _is_wanted(name: str, dataset: FileDataset, found: Mapping[str, Names]) -> bool:
    """Return whether a class without boxes is a mistake: it is listed by the study itself, or no file declares it."""
    return dataset.classes not in PRESETS or all(name in names.undeclared for names in found.values())


def _guesses(classes: Iterable[str], others: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield each class with the name that is probably meant, worded as a question."""
    spellings = {_folded(name): name for name in others}
    for name in classes:
        meant = spellings.get(closest(_folded(name), list(spellings), cutoff=0.7) or "")
        if meant is not None:
            yield name, f"{visible(meant)} ({others[meant]}{_hidden_difference(name, meant)}): did you mean it?"


def _hidden_difference(name: str, meant: str) -> str:
    """Return the characters by which a name differs from one that looks the same on a screen, by their code points."""
    if unicodedata.normalize("NFKC", name) != unicodedata.normalize("NFKC", meant):
        return ""
    points = " ".join(f"U+{ord(character):04X}" for character in dict.fromkeys(meant) if character not in name)
    return f", written with {points}" if points else ""


def _folded(name: str) -> str:
    """Return a name with spelling variants removed: case, Unicode form of accents, hyphens and underscores."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ").split())


def _total(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return total


def _listed(counts: Counter[str]) -> str:
    shown = [f"{visible(name)} ({count})" for name, count in (+counts).most_common(SHOWN_NAMES)]
    more = len(+counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
