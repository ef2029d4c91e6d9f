"""Word the facts that make trials comparable."""

from collections.abc import Iterator, Mapping

from dashboards.detectors import detector_label
from dashboards.run_record import RunRecord
from orchestrator.results.comparability import (
    FACTS,
    NO_TEACHER,
    SEVERAL,
    UNKNOWN,
    Comparable,
    Settings,
    is_augmentation,
)
from orchestrator.study.wording import counted

NOT_RECORDED = "not recorded"
MOST_TEACHERS = 3  # named in a group


def facts_in_words(group: Comparable[RunRecord]) -> dict[str, str]:
    """Return one text for each fact of a group."""
    words = {fact: _words(fact, group.facts[fact]) for fact in FACTS}
    if SEVERAL in dict(group.facts["teacher"]):
        words["teacher"] = _teachers(group)
    searched = _searched_augmentation(group)
    return words | ({"data": f"{words['data']}, {searched}"} if searched else {})


def _teachers(group: Comparable[RunRecord]) -> str:
    """Name the teachers that a study chooses among."""
    names = dict.fromkeys(f"{trial.teacher} ({trial.teacher_id[:12]})" for trial in group.distilled)
    return f"{counted(len(names), 'teacher')}: {', '.join(list(names)[:MOST_TEACHERS])}{' ...' if len(names) > MOST_TEACHERS else ''}"


def _searched_augmentation(group: Comparable[RunRecord]) -> str:
    """Name the parts of the augmentation that a study chooses among, "" where it searches none."""
    first = next(iter(group.distilled), None)
    found = {key.split(".")[1] for key in first.run.params if is_augmentation(key, first.searched)} if first else set()
    return f"{', '.join(sorted(found)).replace('_', ' ')} searched" if found else ""


def group_label(facts: Mapping[str, str]) -> str:
    """Return a group's name on one line."""
    known = [f"batch {text}" if fact == "batch" else text for fact, text in facts.items() if text != NOT_RECORDED]
    return " · ".join(known) or "settings not recorded"


def _words(fact: str, settings: Settings) -> str:
    found = dict(settings)
    if UNKNOWN in found:
        return NOT_RECORDED
    if settings == NO_TEACHER:
        return "no teacher"
    if SEVERAL in found:
        return "several teachers"
    return {"data": _data, "evaluation": _evaluation, "schedule": _schedule, "batch": _batch, "teacher": _teacher}[
        fact
    ](found)


def _data(found: Mapping[str, str]) -> str:
    digest = found.get("digest", "")
    kind = found.get("dataset.kind", "data")
    data = f"{kind} {digest[:8]}".strip() if digest != "missing" else f"{kind}, digest not recorded"
    return ", ".join([data, *_augmentation(found)])


def _augmentation(found: Mapping[str, str]) -> Iterator[str]:
    """Yield in words how training images are changed, where it is not a flip of half of them."""
    scales = found.get("dataset.multi_scale.short")
    if found.get("dataset.augmentation") == "mosaic":
        yield "mosaic with mixup" if found.get("dataset.mosaic.mixup", "true") == "true" else "mosaic"
    if (flip := found.get("dataset.flip", "0.5")) != "0.5":
        yield f"flip {flip}"
    if scales is not None:
        yield f"short sides {scales}"
    if (batches := found.get("dataset.batch_scales.short")) is not None:
        yield f"batches of short sides {batches}"


def _evaluation(found: Mapping[str, str]) -> str:
    what = found.get("dataset.val.annotations", "").rpartition("/")[2].removesuffix(".json")
    images = f"{found['dataset.val_images']} drawn images" if "dataset.val_images" in found else ""
    size = found.get("dataset.test_size", "null")
    size = found.get("dataset.image_size", "") if size == "null" else size
    return " at ".join(part for part in (what or images or "validation split", size) if part)


def _schedule(found: Mapping[str, str]) -> str:
    epochs, steps = found.get("schedule.epochs", "null"), found.get("schedule.iterations", "null")
    length = f"{epochs} epochs" if epochs != "null" else f"{steps} steps"
    policy = found.get("schedule.policy.kind", "")
    milestones = found.get("schedule.policy.milestones", "")
    rate = found.get("schedule.lr", "")
    parts = (length, f"{policy} {milestones}".strip(), found.get("schedule.optimizer.kind", ""), rate and f"lr {rate}")
    return ", ".join(part for part in parts if part)


def _batch(found: Mapping[str, str]) -> str:
    return found.get("schedule.batch_size", "")


def _teacher(found: Mapping[str, str]) -> str:
    return f"{detector_label(found, 'teacher.detector.')} ({found['teacher.weights'][:40]})"
