"""The fingerprint changes with every setting of a trial that is not left out on purpose, and with nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.study.fingerprint import parts_fingerprint, trial_parts
from trainers.schema import TrialSpec

DETECTOR = {"config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "weights": "random"}
OTHER = {"config": "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py", "weights": "random"}
DIGESTS = {"dataset_digest": "d", "init_digest": "i", "teacher_digest": "t"}
TRIAL: dict[str, Any] = {
    "dataset": {"kind": "shapes"},
    "student": DETECTOR,
    "init": {"path": "/i.pth"},
    "teacher": {"detector": DETECTOR, "weights": {"path": "/t.pth"}},
    "method": {"kind": "bckd"},
    "schedule": {},
}
VARIANTS: list[dict[str, Any]] = [
    {},
    *({"method": {"kind": kind}} for kind in ("ld", "pkd", "pkd+bckd", "cwd", "mgd", "fgd", "feature", "gid-response", "crosskd")),
    {"method": {"kind": "ld", "variant": "full"}},
    {"method": {"kind": "terms", "terms": [{"kind": kind} for kind in ("bckd-cls", "bckd-loc", "ld-main", "ld-vlr", "kd-main", "pkd", "cwd", "mgd", "fgd", "feature", "gid-response", "crosskd-cls", "crosskd-box")]}},
    {"dataset": {"kind": "coco", "root": "/c", "classes": ["a", "b"], "multi_scale": {"kind": "range", "short": [400, 800]}}},
    {"dataset": {"kind": "voc", "root": "/v", "image_size": [640, 640], "augmentation": "mosaic", "batch_scales": {}}},
    {"schedule": {"optimizer": {"kind": "adamw"}, "policy": {"kind": "cosine"}, "clip_grad": 1, "iterations": 9}},
    {"schedule": {"policy": {"kind": "constant"}}},
]  # fmt: skip
# What cannot change a result, and what stands for something else there: a digest, or the trial's own method.
LEFT_OUT = ("root", "evaluator", "coverage", "path")
OPTIONS = ("bf16", "giou", "iou", "has_positives", "none", "positives", "sum", "joint", "separate", "weighted", "official", "paper", "score",
           "class", "main", "full", "random", "imagenet", "linear", "constant", "quadratic", "flip", "mosaic", "circle")  # fmt: skip
# A switch of bckd that is null or named by a variant may say the same in two ways; its terms are covered one by one.
TWO_WAYS = ("method.variant", "method.iou", "method.level_gate", "method.normaliser")
# Weights of terms that LD's variant main, the default, does not have.
WITHOUT_EFFECT = {(1, ("method", key)) for key in ("vlr_weight", "kd_weight", "kd_temperature", "region")}


def identity(data: dict[str, Any]) -> str:
    trial = TrialSpec.model_validate_json(json.dumps(data))
    return parts_fingerprint(trial_parts(trial, **DIGESTS))


def full(changes: dict[str, Any]) -> dict[str, Any]:
    """Return a trial with every default written out."""
    return TrialSpec.model_validate_json(json.dumps(TRIAL | changes)).model_dump(mode="json")


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))
    if not items:
        yield path


def others(key: Any, value: Any) -> list[Any]:
    """Return values of the same kind that differ."""
    if key == "config":
        return [OTHER["config"]]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        numbers = (value + 1, value * 2 + 0.125, value / 2, value - 1, 32 * (value // 32 + 1))
        return [number for number in numbers if number != value]
    if value is None:
        return [1, 0.5, 18, [64, 64], True, "bf16"]
    return [option for option in (*OPTIONS, f"{value}x") if option != value]


def changed(data: dict[str, Any], path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield valid trials that differ from ``data`` at ``path`` only."""
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    original = holder[path[-1]]
    for value in others(path[-1], original):
        holder[path[-1]] = value
        try:
            TrialSpec.model_validate_json(json.dumps(data))
        except ValidationError:
            continue
        else:
            yield json.loads(json.dumps(data))
        finally:
            holder[path[-1]] = original


CASES = [
    (index, path) for index, changes in enumerate(VARIANTS) for path in leaves(full(changes)) if path[-1] != "kind"
]


@pytest.mark.parametrize(("index", "path"), CASES, ids=lambda item: ".".join(map(str, item)) if isinstance(item, tuple) else str(item))  # fmt: skip
def test_every_setting_changes_the_fingerprint_unless_it_is_left_out(index: int, path: tuple[Any, ...]) -> None:
    data = full(VARIANTS[index])
    before = identity(data)
    if ".".join(map(str, path)) in TWO_WAYS:
        return
    same = path[-1] in LEFT_OUT or (index, path) in WITHOUT_EFFECT
    assert all((identity(other) == before) == same for other in changed(data, path))


def test_most_settings_were_really_changed() -> None:
    tried = [path for index, path in CASES if next(changed(full(VARIANTS[index]), path), None)]
    assert len(tried) > 0.8 * len(CASES), set(CASES) - set(tried)


@given(st.sampled_from(VARIANTS), st.randoms())
def test_order_of_keys_spelling_of_numbers_and_defaults_do_not_matter(changes: dict[str, Any], chance: Any) -> None:
    short, long = TRIAL | changes, full(changes)
    assert identity(respelled(long, chance)) == identity(short)


def respelled(data: Any, chance: Any) -> Any:
    """Return the same data with keys in another order."""
    if isinstance(data, dict):
        items = list(data.items())
        chance.shuffle(items)
        return {key: respelled(value, chance) for key, value in items}
    if isinstance(data, list):
        return [respelled(item, chance) for item in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


SEGMENT = {"segment": {"from_epoch": 2, "until_epoch": 4, "origin": {"trial": "a", "directory": "/a"}}, "shares": 4}
LOCAL = {
    "student": {**DETECTOR, "config": "/own.py", "weights": {"kind": "checkpoint", "path": "/whole.pth"}},
    "teacher": {"detector": {**DETECTOR, "config": "/teacher.py"}, "weights": {"path": "/t.pth"}},
}


@pytest.mark.parametrize(
    ("key", "value", "matters"),
    [
        (("segment", "until_epoch"), 5, True),
        (("segment", "origin", "trial"), "b", True),
        (("segment", "origin"), None, True),
        (("segment",), None, True),
        (("shares",), 2, True),
        (("shares",), None, True),
        (("segment", "origin", "directory"), "/b", False),
        (("segment", "from_epoch"), 3, False),  # where the origin's last state is
    ],
)
def test_a_segment_is_its_end_and_its_origin(key: tuple[str, ...], value: object, matters: bool) -> None:
    assert (identity(with_value(full(SEGMENT), key, value)) != identity(full(SEGMENT))) is matters


@pytest.mark.parametrize("name", ["dataset_digest", "init_digest", "teacher_digest", "student_config_digest", "teacher_config_digest", "start_digest"])  # fmt: skip
def test_every_digest_changes_the_fingerprint_and_none_may_lack(name: str) -> None:
    trial = TrialSpec.model_validate_json(json.dumps(TRIAL | LOCAL))
    given = {**DIGESTS, "student_config_digest": "s", "teacher_config_digest": "c", "start_digest": "w"}
    assert parts_fingerprint(trial_parts(trial, **given | {name: "other"})) != parts_fingerprint(
        trial_parts(trial, **given)
    )
    if name != "dataset_digest":
        with pytest.raises(ValueError, match="no digest given for"):
            trial_parts(trial, **given | {name: None})


def with_value(data: dict[str, Any], key: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a trial's data with one of its keys replaced."""
    return {**data, key[0]: value if len(key) == 1 else with_value(data[key[0]], key[1:], value)}
