"""Share the arguments that several commands take."""

import argparse
import os
from typing import Any, get_args

from orchestrator.core.findings import Finding
from orchestrator.core.store import VARIABLE, Store
from orchestrator.study.fidelity import Fidelity
from orchestrator.study.load import LoadedStudy, load_study

MIRROR = "STILLHOUSE_MIRROR"


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add the study file and the options that change how it is read."""
    parser.add_argument("study", metavar="STUDY", help="study file (YAML)")
    add_changes(parser)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Add the options that change how a study is read."""
    parser.add_argument(
        "--set", dest="sets", metavar="KEY=VALUE", action="append", default=[],
        help="override a key of the study, e.g. --set method.alpha1=0.5 (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--trust-config",
        action="store_true",
        help="allow local detector configs, which can run code, and a program that the study runs at its end",
    )


def add_fidelity(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a shortened study, which is short for a ``--set``: later commands have to name it too."""
    parser.add_argument(
        "--fidelity", choices=get_args(Fidelity), action=SetsFidelity, default=argparse.SUPPRESS,
        help="short: a third of the schedules on a quarter of COCO or VOC; smoke: two steps, to prove that it runs",
    )  # fmt: skip


class SetsFidelity(argparse.Action):
    """Add ``fidelity=CHOICE`` to the changes of the study."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Handle the option."""
        namespace.sets = [*namespace.sets, f"fidelity={values}"]


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the options that adapt a study to this machine without changing its trials."""
    parser.add_argument(
        "--workers", type=worker_count, metavar="N", help="workers per trial, instead of scaling.workers"
    )
    add_random_weights(parser)


def add_random_weights(parser: argparse.ArgumentParser) -> None:
    """Add the option for machines without pretrained weights; its trials have ids of their own."""
    parser.add_argument(
        "--random-weights", action="store_true",
        help="replace missing pretrained weights by random ones: proves that the study runs, "
        "its numbers mean nothing",
    )  # fmt: skip


def add_images_changed(parser: argparse.ArgumentParser) -> None:
    """Add the choice to take other images for another dataset."""
    parser.add_argument(
        "--images-changed", action="store_true",
        help="treat the present images as a new dataset: sets dataset.images_digest, so all trials are new",
    )  # fmt: skip


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add where results are kept."""
    parser.add_argument("--store", metavar="DIR", help=f"folder of results (default: ${VARIABLE} or ./stillhouse-runs)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the choice of output for machines."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout instead of a table")


def add_tracker_wait(parser: argparse.ArgumentParser) -> None:
    """Add how long the end waits for a tracking store that does not answer."""
    parser.add_argument(
        "--tracker-wait", type=seconds, metavar="SECONDS", default=60.0,
        help="time to wait at the end for an unreachable tracking store (default: 60)",
    )  # fmt: skip


def add_mirror(parser: argparse.ArgumentParser) -> None:
    """Add where copies of the trials are kept."""
    parser.add_argument(
        "--mirror", metavar="URL", default=os.environ.get(MIRROR), type=mirror_address,
        help=f"keep a copy of the trials at s3://, gs:// or file://, and start from its contents (default: ${MIRROR})",
    )  # fmt: skip


def mirror_address(text: str) -> str | None:
    """Return the address of a mirror, for argparse; raise ``UserError`` for one that no storage has."""
    from orchestrator.storage.backend import parts_of

    if text:  # a variable without a value names none
        parts_of(text)
    return text or None


def seconds(text: str) -> float:
    """Return a length of time, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more seconds, got {text}")
    return value


def worker_count(text: str) -> int:
    """Return a number of workers, for argparse; several numbers are the study's to give."""
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        hint = "; for a range --set 'scaling.workers={min: 1, max: 2}'" if not text.lstrip("-").isdigit() else ""
        raise argparse.ArgumentTypeError(f"{error}{hint}") from error


def positive(text: str) -> int:
    """Return a whole number above 0, for argparse."""
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text}") from error
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def load(arguments: argparse.Namespace) -> LoadedStudy:
    """Load the study that the arguments name, with their changes to it."""
    sets = list(arguments.sets)
    if getattr(arguments, "workers", None):
        sets.append(f"scaling.workers={arguments.workers}")
    loaded = load_study(arguments.study, sets, trust_python=arguments.trust_config)
    loaded = with_random_weights(loaded) if getattr(arguments, "random_weights", False) else loaded
    return with_present_images(loaded) if getattr(arguments, "images_changed", False) else loaded


def with_present_images(loaded: LoadedStudy) -> LoadedStudy:
    """Name the images that are here in the study, and say how to keep to them."""
    from dataclasses import replace

    from orchestrator.plan.images import present_digest

    digest = present_digest(loaded.study.dataset)
    dataset = loaded.study.dataset.model_copy(update={"images_digest": digest})
    message = f"these are the images {digest}: write images_digest: {digest} under dataset to keep them fixed"
    note = Finding("note", loaded.where("dataset"), message)
    study = loaded.study.model_copy(update={"dataset": dataset})
    return replace(loaded, study=study, warnings=(*loaded.warnings, note))


def with_random_weights(loaded: LoadedStudy) -> LoadedStudy:
    """Replace weights that are not here by random ones, and say so loudly."""
    from dataclasses import replace

    from orchestrator.plan.weights import needed_urls
    from orchestrator.plan.weights import with_random_weights as randomised

    missing = needed_urls(loaded.study)
    notes = [
        Finding("warning", loaded.where(key), f"RANDOM WEIGHTS instead of {url}: the numbers mean nothing")
        for url, key in missing.items()
    ]
    return replace(loaded, study=randomised(loaded.study), warnings=(*loaded.warnings, *notes))


def store_of(arguments: argparse.Namespace) -> Store:
    """Return the store that the arguments name."""
    return Store(arguments.store)


def findings_json(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    """Return findings as ``plan --json`` and ``check --json`` print them."""
    return [{"level": f.level, "where": f.where, "message": f.message} for f in findings]
