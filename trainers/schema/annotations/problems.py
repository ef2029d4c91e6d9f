"""Find problems in a split's counts: nothing to learn, nothing to score, more objects than detections."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from trainers.schema.annotations.kinds import Level
from trainers.schema.annotations.usage import Usage, listed
from trainers.schema.annotations.wording import boxes, images
from trainers.schema.dataset import FileDataset

PRESETS = ("coco80", "voc20")  # lists of classes that a study takes as a whole


@dataclass(frozen=True, slots=True)
class SplitProblem:
    """Hold one problem of a split; ``kind`` names the kind of problem by a phrase in the plural."""

    kind: str
    level: Level
    message: str


def problems(counts: Usage, dataset: FileDataset, unknown: Collection[str] = ()) -> Iterator[SplitProblem]:
    """Yield problems of training or evaluating with a split, from its counts; errors make the result meaningless.

    Nothing is said of ``unknown`` classes, which are told already.
    """
    known = {name: count for name, count in counts.by_class.items() if name not in unknown}
    if unknown and not known:
        return
    counts = replace(counts, by_class=known)
    if counts.split == "train":
        yield from _of_training(counts, dataset)
    else:
        yield from _of_evaluation(counts)
    yield from _of_density(counts, dataset)


def _of_training(counts: Usage, dataset: FileDataset) -> Iterator[SplitProblem]:
    if not counts.images_used:
        yield SplitProblem("splits without images", "error", f"no image is left to train on ({_why(counts)})")
    elif not counts.boxes_used:
        yield SplitProblem("splits without boxes", "error", f"no box is left to learn ({_why(counts)})")
    else:
        yield from _of_classes(counts, dataset)


def _of_classes(counts: Usage, dataset: FileDataset) -> Iterator[SplitProblem]:
    """Yield the classes that training never sees.

    Of a class that the study lists itself that is an error. Those who take all of COCO's or VOC's classes may well
    train on a part of the data that lacks some.
    """
    absent = [name for name, count in counts.by_class.items() if not count]
    if not absent:
        return
    if dataset.classes in PRESETS:
        message = f"no box of {len(absent)} of {len(counts.by_class)} classes in train: {_some(absent)}"
        yield SplitProblem("classes without boxes in train", "warning", message)
        return
    message = f"no box of class {_some(absent)} is left to learn in train ({_why(counts)}): leave it out of classes"
    yield SplitProblem("classes without boxes in train", "error", message)


def _of_evaluation(counts: Usage) -> Iterator[SplitProblem]:
    if not counts.images_used:
        yield SplitProblem("splits without images", "error", f"no image is left to evaluate on ({_why(counts)})")
    elif not counts.boxes_used:
        yield SplitProblem("splits without boxes", "error", f"no box is left to evaluate on ({_why(counts)})")
    elif absent := [name for name, count in counts.by_class.items() if not count]:
        message = f"no box of {len(absent)} of {len(counts.by_class)} classes in {counts.split}, which have no AP: {_some(absent)}"
        yield SplitProblem(f"classes without boxes in {counts.split}", "warning", message)
    if counts.unreachable:
        one = counts.unreachable == 1
        what = "has no area or lies outside of its image" if one else "have no area or lie outside of their images"
        it = "it" if one else "them"
        message = f"{boxes(counts.unreachable)} {what}: no detection can match {it}, and COCO's evaluation counts {it} as missed"
        yield SplitProblem("boxes that no detection can match", "warning", message)


def _of_density(counts: Usage, dataset: FileDataset) -> Iterator[SplitProblem]:
    densest = counts.densest
    if counts.split != "train" and densest.above:
        message = (
            f"{densest.above} {'image holds' if densest.above == 1 else 'images hold'} more than {dataset.max_detections} objects (image {densest.image!r}: "
            f"{densest.objects}), of which the rest cannot be found: set dataset.max_detections: {densest.objects}"
        )
        yield SplitProblem("images with more objects than detections", "warning", message)


def _why(counts: Usage) -> str:
    """Describe the content that was read and that was left out."""
    if not counts.images:
        return "no image could be read"
    found = f"{images(counts.images)} and {boxes(counts.boxes)} of the classes were read"
    return f"{found}; left out: {listed(counts.left_out)}" if counts.left_out else found


def _some(names: list[str]) -> str:
    quoted = [repr(name) for name in names[:3]]
    return ", ".join(quoted) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
