"""Look for what a study needs and this machine lacks, before anything is started."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from orchestrator.annotation_findings import annotation_findings
from orchestrator.findings import Finding
from orchestrator.image_findings import image_findings
from orchestrator.local_configs import config_findings
from orchestrator.machine import Machine
from orchestrator.resources import Resources
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import CheckpointTeacher, ZooTeacher
from orchestrator.torch_file import problem_with
from orchestrator.weights import needed_urls, teacher_order
from trainers.spec import ShapesDataset, VocDataset, VocPart
from trainers.spec.annotations import FileDataset, SplitName
from trainers.spec.checkpoint_classes import OtherClasses
from trainers.spec.dataset import CocoSplit
from trainers.spec.voc_layout import PartFiles


def preflight(loaded: LoadedStudy, granted: Resources, machine: Machine) -> list[Finding]:
    """Return what is missing or wrong in the world outside the study file; an empty list means: it can run here."""
    outside = (_data(loaded), config_findings(loaded.study), _weights(loaded))
    here = (_room(loaded, granted, machine), _precision(loaded, granted))
    return [finding for part in (*outside, *here) for finding in part]


def _data(loaded: LoadedStudy) -> Iterator[Finding]:
    dataset = loaded.study.dataset
    if isinstance(dataset, ShapesDataset) or "${" in dataset.root or not Path(dataset.root).is_dir():
        return  # a missing root is reported with the study itself
    for split in get_args(SplitName):
        where = loaded.where(f"dataset.{split}")
        missing = list(_missing(dataset, split, where))
        yield from missing
        if not (missing and isinstance(dataset, VocDataset)):  # XML files that are missing would be told twice
            yield from annotation_findings(dataset, split, where)
            yield from image_findings(dataset, split, where)


def _missing(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    root = Path(dataset.root)
    if isinstance(dataset, VocDataset):
        for part in dataset.train if split == "train" else dataset.val:
            yield from _part(root, part, where)
    else:
        yield from _split(root, dataset.train if split == "train" else dataset.val, where)


def _part(root: Path, part: VocPart, where: str) -> Iterator[Finding]:
    files = PartFiles(root, part)
    missing = [f"no folder {folder}" for folder in (files.annotations, files.images) if not folder.is_dir()]
    if files.list_file is not None and not files.list_file.is_file():
        missing.insert(0, f"no list of images {files.list_file}{_without_a_list(files)}")
    yield from (Finding("missing", where, message) for message in missing)
    if not missing:
        yield from _listed(files, where)


def _without_a_list(files: PartFiles) -> str:
    """Return how to do without a list, where there are XML files."""
    found = PartFiles(files.folder, files.part.model_copy(update={"folder": ".", "set": None}))
    try:
        count = len(found.names)
    except OSError:
        return ""
    return f": leave out set to take all {count} XML files of {files.annotations}" if count else ""


def _listed(files: PartFiles, where: str) -> Iterator[Finding]:
    """Compare a part's list with its annotation files, by one look into their folder."""
    try:
        names = files.names
    except (OSError, UnicodeDecodeError) as error:
        yield Finding("error", where, f"{files.source} is not a list of images: {error}")
        return
    absent = [name for name in names if not files.has_xml(name)]
    if absent:
        message = f"{len(absent)} of {len(names)} annotation files are missing, the first {files.xml_file(absent[0])}"
        yield Finding("missing", where, message)
    if not names:
        yield Finding("error", where, f"{files.source} names no image")


def _split(root: Path, split: CocoSplit, where: str) -> Iterator[Finding]:
    if not (root / split.annotations).is_file():
        yield Finding("missing", where, f"no annotation file {root / split.annotations}")
    if not (root / split.images).is_dir():
        yield Finding("missing", where, f"no image folder {root / split.images}")


def _weights(loaded: LoadedStudy) -> Iterator[Finding]:
    teacher = loaded.study.teacher
    if isinstance(teacher, CheckpointTeacher) and (problem := problem_with(Path(teacher.path))):
        yield Finding("error", loaded.where("teacher.path"), f"{teacher.path} {problem}")
    else:
        yield from _teachers_classes(loaded)
    for url, key in needed_urls(loaded.study).items():
        yield Finding("missing", loaded.where(key), f"weights will be fetched at first use from {url}")


def _teachers_classes(loaded: LoadedStudy) -> Iterator[Finding]:
    """Compare the class names in the teacher's checkpoint with the dataset's."""
    teacher = loaded.study.teacher
    if not isinstance(teacher, CheckpointTeacher | ZooTeacher):
        return
    where = loaded.where("teacher.name" if isinstance(teacher, ZooTeacher) else "teacher.path")
    try:
        order = teacher_order(loaded.study)
    except OtherClasses as error:
        yield Finding("error", where, str(error))
        return
    if order is None:
        yield Finding(
            "note", where, "the checkpoint names no classes: they are taken to be the dataset's, in its order"
        )
    elif order.differs:
        yield Finding("note", where, order.describe())


def _precision(loaded: LoadedStudy, granted: Resources) -> Iterator[Finding]:
    schedule = loaded.study.schedule
    if "fp16" in (schedule.precision, schedule.asks_in) and not granted.gpus_per_worker:
        where = loaded.where(f"schedule.{'precision' if schedule.precision == 'fp16' else 'teacher_precision'}")
        yield Finding("warning", where, "CPUs take many times as long in fp16: use bf16 or fp32 there")


def _room(loaded: LoadedStudy, granted: Resources, machine: Machine) -> Iterator[Finding]:
    if granted.concurrent:
        return
    wanted = f"{granted.workers} workers x {granted.cpus_per_worker} CPU"
    if granted.gpus_per_worker:
        wanted += f" + {granted.gpus_per_worker:g} GPU"
    has = f"{machine.cpus} CPUs and {machine.gpus} GPUs"
    yield Finding("missing", loaded.where("scaling"), f"one trial needs {wanted}; here are {has}")
