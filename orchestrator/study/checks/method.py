"""Check that the method can distil this teacher's head into these students' heads."""

from collections.abc import Iterator
from itertools import product

from orchestrator.study.checks.context import Context
from orchestrator.study.checks.detectors import check_trainable
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import TeacherSection, ZooTeacher
from orchestrator.study.variants import Variant
from trainers.schema.compatibility import misfits
from trainers.schema.detector import Detector
from trainers.schema.heads import OTHERS, HeadSpec, head_spec
from trainers.schema.method import MethodSpec, terms_of
from trainers.schema.pyramid import Pyramid, pyramid_of
from trainers.schema.schedule import Schedule
from trainers.schema.terms import Need, TermSection
from trainers.schema.timing import beyond, idle
from trainers.schema.zoo import ZooConfig, find_checkpoint, find_config

TIMED: tuple[KeyPath, ...] = (("method",), ("schedule", "epochs"), ("schedule", "iterations"))
COMPARED: tuple[KeyPath, ...] = (("teacher", "detector"), ("student",), ("method", "kind"), ("method", "terms"))


def check_methods(context: Context) -> Iterator[Problem]:
    """Yield a teacher that could not have been trained here, and each method that cannot distil it into a student."""
    for teacher in context.teachers if context.distilling() else ():
        yield from _check_teacher(context, teacher)


def _check_teacher(context: Context, teacher: Variant[TeacherSection]) -> Iterator[Problem]:
    config = config_of(teacher.section)
    wrong = list(check_trainable(config, config_origin(teacher)))
    yield from wrong
    if config is None or wrong:
        return
    for method, student in product(context.distilling(), context.students):
        yield from _check_pair(method, teacher, config, student)


def check_timing(context: Context) -> Iterator[Problem]:
    """Yield each method with a term that acts in no step of a schedule, or asks for more than the schedule has."""
    for method, schedule in product(context.distilling(), context.schedules):
        for term in terms_of(method.section):
            yield from _check_term_timing(method, term, schedule.section)


def _check_term_timing(method: Variant[MethodSpec], term: TermSection, schedule: Schedule) -> Iterator[Problem]:
    def at(key: str) -> KeyPath:
        return method.origin("terms" if method.section.kind == "terms" else key)

    reason = idle(term, schedule)
    if reason is not None:
        yield Problem(at("from"), f"{term.kind} never acts: {reason}", rests_on=TIMED)
    elif (found := beyond(term, schedule)) is not None:
        key, consequence = found
        yield Problem(at(key), f"{term.kind} {consequence}", "warning", rests_on=TIMED)


def _check_pair(
    method: Variant[MethodSpec], teacher: Variant[TeacherSection], config: ZooConfig, student: Variant[Detector]
) -> Iterator[Problem]:
    own = find_config(student.section.config)
    if own is None or own.untrainable:
        return  # a local config, which is known only when it is built; an untrainable one is reported elsewhere
    theirs, mine = (head_spec(one.head, one.detector) for one in (config, own))
    reasons = list(misfits(method.section, theirs, mine))
    if not reasons:
        pyramids = pyramid_of(teacher_detector(teacher.section), config), pyramid_of(student.section, own)
        reasons = [reason for term in terms_of(method.section) for reason in _unequal(term, *pyramids)]
    at = _other_head(teacher, theirs, student, mine) if mine.head != theirs.head else method.origin("kind")
    yield from (Problem(at, reason, rests_on=COMPARED) for reason in dict.fromkeys(reasons))


def _other_head(
    teacher: Variant[TeacherSection], theirs: HeadSpec, student: Variant[Detector], mine: HeadSpec
) -> KeyPath:
    """Return the key of the detector to replace: the one whose head is not described, else the teacher."""
    is_students = mine.detector == OTHERS != theirs.detector
    return student.origin("config") if is_students else config_origin(teacher)


def _unequal(term: TermSection, teacher: Pyramid, student: Pyramid) -> Iterator[str]:
    """Yield where a term compares feature maps that are known to differ in channels or number."""
    same = (teacher.channels, teacher.levels) == (student.channels, student.levels)
    if Need.FEATURES in term.needs and not term.connects and not same:
        yield f"{term.kind} needs pyramids of equal channels and levels: the teacher's has {teacher}, the student's {student}"
    if term.point is not None:
        name = term.kind.partition("-")[0]
        if teacher.head_channels != student.head_channels:
            yield (
                f"{name} needs heads of equal channels: the teacher's has {teacher.head_channels}, "
                f"the student's {student.head_channels}"
            )
        convs = [pyramid.convs for pyramid in (teacher, student) if pyramid.convs is not None]
        if convs and term.point.convs > min(convs):
            yield f"{name} reads features after {term.point.convs} convolutions, a head here has {min(convs)}"


def teacher_detector(teacher: TeacherSection) -> Detector:
    """Return the teacher's detector; a zoo checkpoint's is its config as it is."""
    if not isinstance(teacher, ZooTeacher):
        return teacher.detector
    checkpoint = find_checkpoint(teacher.name)
    return Detector(config=checkpoint.config if checkpoint else teacher.name)


def config_of(teacher: TeacherSection) -> ZooConfig | None:
    """Return the teacher's detector config if it is one that is known without being built."""
    return find_config(teacher_detector(teacher).config)


def config_origin(teacher: Variant[TeacherSection]) -> KeyPath:
    """Return where a study chooses the teacher's detector."""
    return teacher.origin("name") if isinstance(teacher.section, ZooTeacher) else teacher.origin("detector", "config")
