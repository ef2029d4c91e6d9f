"""Check that the teacher exists and can teach these students about this dataset."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator.study.checks.context import Context
from orchestrator.study.checks.method import config_of
from orchestrator.study.inherit import absent, is_file
from orchestrator.study.location import Problem
from orchestrator.study.paths import is_unresolved
from orchestrator.study.schema import CheckpointTeacher, TrainedTeacher, ZooTeacher
from orchestrator.study.variants import Variant
from orchestrator.study.wording import did_you_mean, enumeration
from trainers.schema.dataset import class_count
from trainers.schema.method import MethodSpec
from trainers.schema.zoo import checkpoint_names, find_checkpoint


def check_presence(context: Context) -> Iterator[Problem]:
    """Yield methods without the teacher that they need, and a teacher whom no method asks."""
    distilling = context.distilling()
    if not context.teachers and context.study.teacher is None:
        yield from _lacking(distilling)
    elif context.methods and not distilling:
        yield Problem(("teacher",), "is not used: the method is none", "warning", rests_on=(("method", "kind"),))


def _lacking(distilling: Sequence[Variant[MethodSpec]]) -> Iterator[Problem]:
    """Yield once, at the first method that needs a teacher, that there is none."""
    kinds = list(dict.fromkeys(variant.section.kind for variant in distilling))
    if kinds:
        verb = "needs" if len(kinds) == 1 else "need"
        message = f"{enumeration(kinds)} {verb} a teacher: add a section teacher"
        yield Problem(distilling[0].origin("kind"), message)


def check_checkpoint(context: Context) -> Iterator[Problem]:
    """Yield a checkpoint that cannot be found, by name or as a file."""
    for variant in context.teachers:
        teacher = variant.section
        if isinstance(teacher, ZooTeacher) and find_checkpoint(teacher.name) is None:
            hint = did_you_mean(teacher.name, checkpoint_names())
            yield Problem(variant.origin("name"), f"no public checkpoint of this name is known{hint}")
        if (
            isinstance(teacher, CheckpointTeacher)
            and not is_unresolved(teacher.path)
            and not is_file(Path(teacher.path))
        ):
            yield Problem(variant.origin("path"), absent(teacher.path))


def check_scales(context: Context) -> Iterator[Problem]:
    """Yield scales of a teacher's own training that do not go with the dataset."""
    dataset = context.study.dataset
    for variant in context.teachers:
        teacher = variant.section
        if isinstance(teacher, TrainedTeacher) and teacher.multi_scale is not None:
            try:
                type(dataset).model_validate({**dict(dataset), "multi_scale": teacher.multi_scale})
            except ValidationError as error:
                message = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                yield Problem(variant.origin("multi_scale"), message)


def check_classes(context: Context) -> Iterator[Problem]:
    """Yield a public teacher that knows another number of classes than the dataset has."""
    classes = class_count(context.study.dataset)
    for variant in context.teachers:
        config = config_of(variant.section) if isinstance(variant.section, ZooTeacher) else None
        if config is not None and config.num_classes not in (None, classes):
            message = (
                f"was trained on {config.num_classes} classes and the dataset has {classes}: their scores cannot match"
            )
            yield Problem(variant.origin("name"), message)
