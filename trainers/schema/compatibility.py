"""Decide which method can distil which teacher's head into which student's, from needs and outputs."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from trainers.schema.heads import OTHERS, HeadSpec, heads
from trainers.schema.method import MethodSpec, terms_of
from trainers.schema.terms import Need, TermSection

# Terms that need nothing else compare feature maps, which any two pyramids have; all others compare anchor by anchor.
ANCHOR_FREE = frozenset({Need.FEATURES})


def misfits(method: MethodSpec, teacher: HeadSpec, student: HeadSpec) -> Iterator[str]:
    """Yield why ``method`` cannot distil ``teacher`` into ``student``, a sentence each; nothing when it can."""
    beyond = next(_beyond_features(method, teacher, student), None)
    if beyond is not None:
        yield beyond
        return
    for term in terms_of(method):
        yield from _lacking(term, term.teacher_needs, teacher)
        if student != teacher:
            yield from _lacking(term, term.needs, student)
    if student.head != teacher.head and not needs_of(method) <= ANCHOR_FREE:
        asking = [term for term in terms_of(method) if not term.needs <= ANCHOR_FREE]
        yield f"{_asking(method, asking)} equal heads: the teacher has {teacher.head}, the student {student.head}"


def _asking(method: MethodSpec, terms: Sequence[TermSection]) -> str:
    """Name the preset, or the given terms of a written sum, and add the verb of a sentence."""
    if method.kind != "terms":
        return f"{method.kind} needs"
    return f"{' and '.join(term.kind for term in terms)} {'need' if len(terms) > 1 else 'needs'}"


def fits(method: MethodSpec, teacher: HeadSpec, student: HeadSpec) -> bool:
    """Return whether ``method`` can distil ``teacher`` into ``student``."""
    return next(misfits(method, teacher, student), None) is None


def presets() -> dict[str, Any]:
    """Return the methods that the matrix lists, by name: each preset at its defaults, with its variants."""
    found: dict[str, Any] = {}
    for section in get_args(get_args(MethodSpec)[0]):
        kind = get_args(section.model_fields["kind"].annotation)[0]
        if kind in ("none", "terms"):
            continue
        field = section.model_fields.get("variant")
        variants = get_args(field.annotation) if field is not None and kind == "ld" else ()
        if variants:
            found |= {f"{kind} ({variant})": section(kind=kind, variant=variant) for variant in variants}
        else:
            found[kind] = section(kind=kind)
    return found


def needs_of(method: MethodSpec) -> frozenset[Need]:
    """Return everything that a method's terms need of student and teacher alike."""
    return frozenset(need for term in terms_of(method) for need in term.needs)


def _beyond_features(method: MethodSpec, teacher: HeadSpec, student: HeadSpec) -> Iterator[str]:
    """Yield the needs of a method that a head which is not described cannot meet, and the detectors that can."""
    terms = terms_of(method)
    asked = [(term, term.teacher_needs) for term in terms], [(term, term.needs) for term in terms]
    for head, pairs in zip((teacher, student), asked, strict=True):
        needs = {need for _, own in pairs for need in own}
        missing = sorted(needs - head.gives)
        if head.detector == OTHERS and missing:
            asking = [term for term, own in pairs if own - head.gives]
            givers = ", ".join(spec.detector for spec in heads().values() if needs <= spec.gives)
            does = "do" if "," in givers else "does"
            yield f"{_asking(method, asking)} {', '.join(missing)}, which {head.head} does not give: {givers} {does}"


def _lacking(term: TermSection, asked: frozenset[Need], head: HeadSpec) -> Iterator[str]:
    missing = sorted(asked - head.gives)
    if missing:
        yield f"{term.kind} needs {', '.join(missing)}, which {head.head} does not give"
