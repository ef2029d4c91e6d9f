"""The JSON schema of studies takes what the loader takes, and sees most mistakes of types and keys that the loader sees."""

import copy
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from orchestrator.cli import main
from orchestrator.study.document import read_text
from orchestrator.study.inherit import read_source
from orchestrator.study.json_schema import installed_schema
from orchestrator.study.location import Location
from tests.study_schema import FILE, text
from tests.unit.orchestrator.study_mutations import DATA_WAYS, TEXTS, places, prepare
from tests.unit.orchestrator.study_text import VALID, findings_of, write
from trainers.schema.zoo import configs_dir

DOCS = Path(__file__).parents[4] / "docs"
PAGES = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("studies.md", "commands.md"))
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
VALIDATOR = Draft7Validator(SCHEMA)
FOLDERS = ("studies", "paper/rows", "paper/alternatives", "paper/ablations")
SHIPPED = sorted(path for folder in FOLDERS for path in (configs_dir() / folder).rglob("*.yaml"))
MUTATIONS = 400
ABOUT_SHAPE = (
    "unknown key",
    "expected ",
    "must be ",
    "this key is required",
    "unknown kind",
    "must have ",
    "must not be empty",
)


def read(study: str) -> Any:
    """Return the data of a study's text."""
    return read_text(study, lambda line: Location("study.yaml", line)).data


def refusals(data: Any) -> list[str]:
    """Return what the schema says against a study."""
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(data)]


def mistakes(folder: Path, data: Any) -> list[str]:
    """Return the messages of the loader's errors."""
    path = write(folder, json.dumps(data, ensure_ascii=False))
    return [message for level, _, message in findings_of(path, trust_python=True) if level == "error"]


def test_the_shipped_schema_is_that_of_the_sections_and_the_reference():
    assert FILE.read_text(encoding="utf-8") == text(), "stale: run `make schema`"


def test_without_other_packages_an_installation_has_the_shipped_schema():
    assert installed_schema() == SCHEMA


def test_the_command_of_the_reference_writes_it(tmp_path, monkeypatch, capsys):
    [line] = set(re.findall(r"^\$ stillhouse (schema .*)$", PAGES, re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 0
    [written] = tmp_path.iterdir()
    assert f"$schema={written.name}" in PAGES
    assert written.read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8")
    assert main(["schema", "--output", str(tmp_path)]) == 2
    capsys.readouterr()
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


def test_a_file_that_is_only_a_base_has_a_part_of_the_schema():
    part = Draft7Validator({**SCHEMA, "allOf": [{"$ref": "#/definitions/StudySpec"}]})
    bases = [
        path for folder in ("datasets", "schedules", "paper/parts") for path in (configs_dir() / folder).glob("*.yaml")
    ]
    assert len(bases) > 5
    for path in bases:
        assert list(part.iter_errors(read(path.read_text(encoding="utf-8")))) == [], path


def test_the_schema_is_one_of_draft_7():
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_keys_have_the_sentences_of_the_reference():
    shapes = {name: node for name, node in SCHEMA["definitions"].items() if node.get("additionalProperties") is False}
    without = [
        f"{name}.{key}"
        for name, node in shapes.items()
        for key, item in node["properties"].items()
        if not item.get("description")
    ]
    assert len(without) < 0.1 * sum(len(node["properties"]) for node in shapes.values())
    assert (
        shapes["Schedule"]["properties"]["lr"]["description"]
        == "learning rate after warm-up, for a batch of `lr_batch`"
    )
    assert "](" not in json.dumps([node["properties"] for node in shapes.values()])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(configs_dir())))
def test_shipped_studies_are_taken_as_they_are_written_and_with_their_bases(path):
    assert refusals(read(path.read_text(encoding="utf-8"))) == []
    assert refusals(read_source(path).data) == []


@pytest.mark.parametrize(
    "more",
    [
        "search: {algorithm: optuna, samples: 3, space: {method.alpha1: {uniform: [0, 1]}}}",
        "search: {algorithm: {kind: random}, samples: 3, space: {schedule.lr: {loguniform: [1e-4, 1e-2]}}}",
        "search: {space: {student: [{width: 0.5, weights: random}, {backbone_depth: 18}], schedule.clip_grad: [null, 35]}}",
        "search: {space: {schedule.policy: [{kind: cosine}, {kind: constant}], method.kind: [ld, none]}}",
        "dataset: {kind: coco, root: '${DATA}/coco', train: [{annotations: a.json, images: a}], split: {group: folder}}",
        "dataset: {kind: yolo, root: ~/x, classes: [a], split: {val: 0.3, group: {before: _}}, test_size: null}",
        "teacher: null\nmethod: {kind: none}",
        "teacher: {kind: checkpoint, path: '${HOME}/x.pth', detector: {config: own.py}}",
        "method: {kind: terms, terms: [{kind: bckd-cls, weight: {grad_share: 0.3}}, {kind: pkd, from: 0.5, until: null}]}",
        "student: {config: own.py, weights: {kind: zoo, name: gfl_r101_fpn_ms-2x_coco}, freeze: {norms: true}}",
        "schedule: {warmup: {epochs: 1}, precision: bf16, ema: {}}",
        "scaling: {workers: 2, gpus_per_worker: auto}\ntracking: {tags: {a: b}}",
        "base: other.yaml",
    ],
)
def test_every_form_of_a_study_is_taken(more):
    whole = {**read(VALID), **read(more)}
    assert refusals(whole) == []
    assert refusals({"base": ["a.yaml", "b.yaml"], **read(more)}) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("lr: 1", "'lr' was unexpected"),
        ("schedule: {epochs: twelve}", "'twelve' is not of type 'integer', 'null'"),
        ("schedule: {epochs: 0}", "0 is less than the minimum of 1"),
        ("method: {kind: bkcd}", "'bkcd' is not one of"),
        ("method: {kind: ld, alpha1: 1}", "'alpha1' was unexpected"),
        ("method: {kind: terms, terms: [{weight: 1}]}", "'kind' is a required property"),
        ("dataset: {kind: coco}", "'root' is a required property"),
        ("dataset: {kind: shapes, image_size: [64]}", "[64] is too short"),
        ("search: {space: {schedule.lrr: [1]}}", "'schedule.lrr' was unexpected"),
        ("search: {space: {schedule.epochs: [a]}}", "is not valid under any of the given schemas"),
        ("search: {algorithm: optun}", "is not valid under any of the given schemas"),
        ("name: a b", "does not match"),
    ],
)
def test_mistakes_are_seen(more, says):
    assert any(says in refusal for refusal in refusals({**read(VALID), **read(more)}))


def test_required_keys_may_come_from_a_base_but_not_from_nowhere():
    assert refusals({"base": "x.yaml", "dataset": {"root": "x"}, "method": {"alpha1": 2}}) == []
    assert {message.rpartition(": ")[2] for message in refusals({"description": "x"})} == {
        f"'{key}' is a required property" for key in ("name", "dataset", "student", "method")
    }


def test_the_loader_refuses_all_that_the_schema_refuses_and_few_mistakes_escape_it(tmp_path, record_property):
    prepare(tmp_path)
    studies = [data for data in sources() if mistakes(tmp_path, data) == []]
    assert len(studies) > 20
    seen, false_alarms = Counter[bool](), []
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        data = copy.deepcopy(chance.choice(studies))
        holder, key = chance.choice(list(places(data)))
        chance.choice(DATA_WAYS)(holder, key, chance)
        said, refused = mistakes(tmp_path, data), refusals(data)
        if refused and not said:
            false_alarms.append((seed, refused))
        if any(message.startswith(ABOUT_SHAPE) for message in said):
            seen[bool(refused)] += 1
    share = seen[True] / seen.total()
    print(f"the schema sees {seen[True]} of {seen.total()} mistakes of types, keys, kinds and ranges ({share:.0%})")
    record_property("seen_by_schema", share)
    assert false_alarms == []
    assert seen.total() > MUTATIONS / 4
    assert share > 0.8


def sources() -> list[Any]:
    """Return shipped studies, merged with their bases, and studies with a piece of everything, as they are written."""
    merged = [read_source(path).data for path in SHIPPED]
    return [*merged, *map(read, TEXTS)]
