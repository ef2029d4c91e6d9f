"""Give a trial its identity: a hash of everything that affects its result, and of nothing else."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from orchestrator.core.by_object import ByObject
from trainers.schema import DatasetSpec, Detector, MethodSpec, Teacher, TrialSpec
from trainers.schema.method import inherits, terms_of
from trainers.schema.terms import identity
from trainers.schema.trial import Segment
from trainers.schema.zoo import PREFIX, find_config

FORMAT = 1  # raise it when the same inputs start to give other results, so that old results are not mistaken for new


def canonical_json(value: object) -> str:
    """Return one text for all ways to write the same JSON value: sorted keys, no spaces, ``1.0`` as ``1``.

    Raises ``TypeError`` or ``ValueError`` for values without a stable form.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(payload: object) -> str:
    """Return the SHA-256 of a payload's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical_json(payload).encode()).hexdigest()


PartTexts = ByObject[str]  # canonical texts of parts of trials


def trial_parts(
    trial: TrialSpec,
    *,
    texts: PartTexts | None = None,
    dataset_digest: str,
    init_digest: str | None = None,
    teacher_digest: str | None = None,
    student_config_digest: str | None = None,
    teacher_config_digest: str | None = None,
    start_digest: str | None = None,
) -> dict[str, str]:
    """Return the parts of a trial's identity, each as canonical JSON; ``parts_fingerprint`` of it is the identity.

    The digests stand for the contents behind paths, which may differ from machine to machine: of the dataset, of the
    checkpoints, of detector configs (a config that mmdet ships may go by its name instead). ``start_digest`` is that of
    the detector that the student starts from; a teacher goes by its trained weights, wherever it started. It leaves out settings that
    cannot change the result: the location of files, the evaluator, the required share of a checkpoint, the teacher of
    method ``none``. The shares of an elastic trial's batches count: its numbers depend on them, and repeat up to rounding
    only. ``texts`` are those of trials of the same study: what they have in common is written once.
    """
    distils = trial.method.kind != "none"
    student, teacher, method, schedule = trial.student, trial.teacher if distils else None, trial.method, trial.schedule
    of = (texts or PartTexts()).of
    part = {} if trial.segment is None else {"segment": canonical_json(_segment(trial.segment))}
    shares = {} if trial.shares is None else {"shares": canonical_json(trial.shares)}
    configs = (student_config_digest, teacher_config_digest)
    return (
        {
            "format": canonical_json(FORMAT),
            "dataset": of(
                lambda: canonical_json(_dataset(trial.dataset, dataset_digest)), trial.dataset, given=(dataset_digest,)
            ),
            "student": of(
                lambda: canonical_json(_student(trial, student_config_digest, start_digest)),
                student,
                given=(student_config_digest, start_digest),
            ),
            "init": canonical_json(_required(init_digest, "init") if trial.init else None),
            "teacher": of(
                lambda: canonical_json(_teacher(teacher, teacher_digest, teacher_config_digest)),
                teacher,
                given=(teacher_digest, teacher_config_digest),
            ),
            "method": of(
                lambda: canonical_json(canonical_method(method) | _inheritance(trial, *configs)),
                method,
                student,
                trial.teacher,
                given=configs,
            ),
            "schedule": of(lambda: canonical_json(schedule.identity(distils=distils)), schedule, given=(distils,)),
            "seed": canonical_json(trial.seed),
        }
        | part  # whole trainings keep the names that they had before there were segments
        | shares
    )


def parts_fingerprint(texts: Mapping[str, str]) -> str:
    """Return the fingerprint of a mapping whose values are canonical texts already."""
    content = ",".join(f"{json.dumps(key)}:{texts[key]}" for key in sorted(texts))
    return hashlib.sha256(f"{{{content}}}".encode()).hexdigest()


def canonical_method(method: MethodSpec) -> dict[str, Any]:
    """Return the sum of terms that a method stands for: a preset and the same terms written out are one method.

    The order of terms does not matter.
    """
    terms = [identity(term) for term in terms_of(method)]
    ordered = sorted(terms, key=lambda term: str(term["kind"]))
    return {"terms": ordered, "inherit": inherits(method)}


def _inheritance(trial: TrialSpec, student_digest: str | None, teacher_digest: str | None) -> dict[str, Any]:
    """Return the mark of a student that leaves parts of its teacher's head out, or may do so.

    Releases before that copied all of the head, so only trials whose heads are known to agree keep their identity.
    """
    if not inherits(trial.method) or trial.teacher is None:
        return {}
    pairs = ((trial.student, student_digest), (trial.teacher.detector, teacher_digest))
    student, teacher = (_detector(detector, digest)["config"] for detector, digest in pairs)
    known = [found.coding if (found := find_config(detector.config)) else None for detector, _ in pairs]
    return {} if student == teacher or (known[0] is not None and known[0] == known[1]) else {"inherit": "equal codings"}


def _dataset(dataset: DatasetSpec, digest: str) -> dict[str, Any]:
    return dataset.identity() | {"digest": digest}


def _student(trial: TrialSpec, config_digest: str | None, start_digest: str | None) -> dict[str, Any]:
    found = _detector(trial.student, config_digest)
    if trial.student.detector_weights is None:
        return found
    return found | {"weights": {"detector": _required(start_digest, "student.weights")}}


def _detector(detector: Detector, config_digest: str | None) -> dict[str, Any]:
    """Return a detector's settings; weights of a whole detector are not among them, which others stand for."""
    left_out = {"config"} if detector.detector_weights is None else {"config", "weights"}
    settings = {key: value for key, value in detector.settings().items() if key not in left_out}
    if config_digest is None and detector.config.startswith(PREFIX):
        return settings | {"config": detector.config}
    return settings | {"config": _required(config_digest, detector.config)}


def _teacher(teacher: Teacher | None, digest: str | None, config_digest: str | None) -> dict[str, Any] | None:
    if teacher is None:
        return None
    weights = _required(digest, "teacher") if teacher.weights else None
    return {"detector": _detector(teacher.detector, config_digest), "weights": weights}


def _segment(segment: Segment) -> dict[str, Any]:
    return {"until_epoch": segment.until_epoch, "origin": segment.origin.trial if segment.origin else None}


def _required(digest: str | None, name: str) -> str:
    if digest is None:
        raise ValueError(f"no digest given for {name}")
    return digest


def _canonical(value: object) -> JsonValue:
    """Return ``value`` with equal numbers made identical; raise for a value without a stable form."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _canonical(item) for key, item in value.items()}
    raise TypeError(f"no canonical JSON for {type(value).__name__} {value!r:.60}")


def _number(value: float) -> int | float:
    """Return whole floats as integers, which also turns ``-0.0`` into ``0``."""
    if not math.isfinite(value):
        raise ValueError(f"no canonical JSON for {value}")
    return int(value) if value.is_integer() else value
