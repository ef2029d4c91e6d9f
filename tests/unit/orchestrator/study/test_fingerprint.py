"""A trial's identity changes with everything that affects its result, and with nothing else."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.study.fingerprint import canonical_json, fingerprint, parts_fingerprint, trial_parts
from trainers.schema import TrialSpec

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)
DIGESTS = {"dataset_digest": "d", "init_digest": "i", "teacher_digest": "t"}
DETECTOR = {"config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "weights": "random"}
TRIAL: dict[str, Any] = {
    "dataset": {"kind": "coco", "root": "/data/a", "classes": ["x"]},
    "student": DETECTOR,
    "init": {"path": "/weights/init.pth"},
    "teacher": {"detector": DETECTOR, "weights": {"path": "/weights/teacher.pth"}},
    "method": {"kind": "bckd"},
    "schedule": {},
    "seed": 0,
}


def identity(changes: dict[str, Any] | None = None, /, **digests: str | None) -> str:
    """Return the fingerprint of the trial with dotted keys changed."""
    data = json.loads(json.dumps(TRIAL))
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        section = data
        for parent in parents:
            section = section[parent]
        section[last] = value
    trial = TrialSpec.model_validate_json(json.dumps(data))
    return parts_fingerprint(trial_parts(trial, **(DIGESTS | digests)))  # type: ignore[arg-type]  # tests leave digests out


@given(JSON)
def test_canonical_json_keeps_the_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(JSON)
def test_canonical_json_of_what_was_read_back_is_the_same(value: object) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    assert text == text.strip()


@given(st.dictionaries(st.text(), SCALARS, max_size=6), st.randoms())
def test_order_of_keys_does_not_matter(value: dict[str, object], chance: Any) -> None:
    items = list(value.items())
    chance.shuffle(items)
    assert fingerprint(dict(items)) == fingerprint(value)


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_whole_floats_are_the_integers(number: int) -> None:
    assert canonical_json(float(number)) == canonical_json(number)


def test_canonical_forms() -> None:
    assert canonical_json({"b": (1.0, -0.0), "a": True}) == '{"a":true,"b":[1,0]}'
    assert canonical_json(1e22) == canonical_json(10**22)
    assert canonical_json("é") == '"\\u00e9"'
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json("1") != canonical_json(1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1: 2}, {"a": {None: 1}}, {1}, b"x", object(), 1j])
def test_values_without_a_stable_form_are_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json([value])


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset.root": "/elsewhere"},
        {"dataset.evaluator": "pycocotools"},
        {"init.path": "/elsewhere.pth"},
        {"init.coverage": 0.5},
        {"teacher.weights.path": "/elsewhere.pth"},
        {"teacher.weights.coverage": 0.5},
        {"method.variant": "official"},
        {"method.iou": "giou", "method.level_gate": "has_positives", "method.normaliser": "positives"},
        {"method.alpha1": 1},
        {"schedule.epochs": 12},
    ],
    ids=str,
)
def test_identity_ignores_what_does_not_affect_the_result(changes: dict[str, Any]) -> None:
    assert identity(changes) == identity()


CHANGES: list[dict[str, Any]] = [
    {"dataset.flip": 0.0},
    {"dataset.classes": ["y"]},
    {"dataset.image_size": [320, 240]},
    {"student.weights": "imagenet"},
    {"student.backbone_depth": 18},
    {"student.depth": 0.5},
    {"student.config": "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"},
    {"init": None},
    {"teacher.detector.config": "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"},
    {"teacher.weights": None},
    {"method.alpha1": 2},
    {"method.alpha1": 0, "method.alpha2": 0},
    {"method": {"kind": "none"}},
    {"method.variant": "paper"},
    {"method.iou": "iou"},
    {"method.detach_weight": True},
    {"method.gamma": 2},
    {"schedule.lr": 0.02},
    {"schedule.iterations": 2},
    {"schedule.batch_size": 8},
    {"seed": 1},
]


def test_identity_follows_what_affects_the_result() -> None:
    identities = [identity(), *(identity(changes) for changes in CHANGES)]
    identities += [identity(**{name: "other"}) for name in DIGESTS]
    identities += [identity(student_config_digest="c"), identity(teacher_config_digest="c")]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize(
    ("variant", "switches"),
    [
        ("paper", {"iou": "iou", "level_gate": "none"}),
        ("algorithm-a1", {"iou": "iou", "level_gate": "none", "normaliser": "sum"}),
    ],
)
def test_variant_is_the_same_as_its_switches_written_out(variant: str, switches: dict[str, str]) -> None:
    written: dict[str, Any] = {f"method.{key}": value for key, value in switches.items()}
    assert identity({"method.variant": variant}) == identity(written) != identity()


def test_method_none_has_no_teacher() -> None:
    alone = {"method": {"kind": "none"}}
    assert identity(alone) == identity({**alone, "teacher": None}, teacher_digest=None)


def test_local_config_goes_by_its_content() -> None:
    here, there = {"student.config": "/here/own.py"}, {"student.config": "/there/own.py"}
    assert identity(here, student_config_digest="c") == identity(there, student_config_digest="c")
    with pytest.raises(ValueError, match=r"no digest given for /here/own\.py"):
        identity(here)


@pytest.mark.parametrize("name", ["init_digest", "teacher_digest"])
def test_checkpoint_without_digest_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no digest given"):
        identity(**{name: None})


def test_fingerprint_is_the_same_in_every_release() -> None:
    # Finished trials are found again by their fingerprints: another hash of the same content would run them all again.
    assert fingerprint({"b": [1.5, None], "a": True}).startswith("00b0daea9480964a")


PLAIN_FCOS = "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py"
DEEPER_FCOS = "mmdet::fcos/fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py"
CENTRED_FCOS = "mmdet::fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py"


def inheriting(student: str, teacher: str, **digests: str | None) -> str:
    """Return the identity of a student that starts from its teacher's neck and head."""
    method = {"kind": "bckd", "inherit": True}
    changes = {"student.config": student, "teacher.detector.config": teacher, "method": method}
    return identity(changes, **digests)


def test_an_inheriting_student_of_its_teachers_coding_keeps_the_identity_of_earlier_releases() -> None:
    assert inheriting(PLAIN_FCOS, DEEPER_FCOS)[:12] == "0707cf065eb0"
    local = {"student_config_digest": "a", "teacher_config_digest": "a"}
    assert inheriting("/one.py", "/other.py", **local)[:12] == "b3b55705eaa0"


def test_a_student_that_leaves_parts_of_its_teacher_out_is_another_trial() -> None:
    """Earlier releases copied the box predictor between two codings under these identities."""
    assert inheriting(CENTRED_FCOS, DEEPER_FCOS)[:12] != "9cf579f92042"
    local = {"student_config_digest": "a", "teacher_config_digest": "b"}
    assert inheriting("/one.py", "/other.py", **local)[:12] != "b9c81f3f49f5"


CROSSED = {"kind": "crosskd", "convs": 2, "iou": "log_iou"}
WRITTEN_OUT = [
    {"kind": "crosskd-box", "convs": 2, "iou": "log_iou", "tap": "before"},
    {"kind": "crosskd-cls", "convs": 2, "tap": "before"},
]


def test_crosskd_before_the_activation_keeps_the_identity_of_earlier_releases() -> None:
    assert identity({"method": {"kind": "crosskd", "tap": "before"}})[:12] == "08806def82d0"
    assert identity({"method": CROSSED | {"tap": "before"}})[:12] == "f82eddfeab14"
    assert identity({"method": {"kind": "terms", "terms": WRITTEN_OUT}})[:12] == "f82eddfeab14"


def test_crosskd_after_the_activation_is_another_method_however_it_is_spelled() -> None:
    after = identity({"method": CROSSED})
    assert after != identity({"method": CROSSED | {"tap": "before"}})
    spelled = [term | {"tap": "after"} for term in WRITTEN_OUT]
    assert identity({"method": {"kind": "terms", "terms": spelled}}) == after
    mixed = [WRITTEN_OUT[0] | {"tap": "after"}, WRITTEN_OUT[1]]
    assert identity({"method": {"kind": "terms", "terms": mixed}}) not in (
        after,
        identity({"method": CROSSED | {"tap": "before"}}),
    )


def test_the_shares_of_an_elastic_trial_are_part_of_it() -> None:
    assert len({identity(), identity({"shares": 2}), identity({"shares": 4})}) == 3
    assert identity({"shares": None}) == identity()
