"""Word the facts that make trials comparable."""

from collections.abc import Mapping

from dashboards.detectors import detector_label
from dashboards.run_record import RunRecord
from orchestrator.results.comparability import FACTS, NO_TEACHER, UNKNOWN, Comparable, Settings

NOT_RECORDED = "not recorded"


def facts_in_words(group: Comparable[RunRecord]) -> dict[str, str]:
    """Return one text for each fact of a group."""
    return {fact: _words(fact, group.facts[fact]) for fact in FACTS}


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
    return {"data": _data, "evaluation": _evaluation, "schedule": _schedule, "batch": _batch, "teacher": _teacher}[
        fact
    ](found)


def _data(found: Mapping[str, str]) -> str:
    digest = found.get("digest", "")
    kind = found.get("dataset.kind", "data")
    return f"{kind} {digest[:8]}".strip() if digest != "missing" else f"{kind}, digest not recorded"


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
