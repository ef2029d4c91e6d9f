"""A study is put together from its bases and the command line, and reported on as a whole."""

from pathlib import Path

import pytest

from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.study.load import load_study
from orchestrator.study.schema import CheckpointTeacher, StudySpec
from tests.unit.orchestrator.study_text import TRAINED, VALID, edit, findings_of, write
from trainers.schema import Bckd, CocoDataset
from trainers.schema.schedule import CosinePolicy
from trainers.schema.zoo import configs_dir

MANY = """\
name: demo
dataset: {kind: coco, root: ., classes: [a], flip: 2}
student:
  config: mmdet::gfl/gfl_r50_fpn_1x_cocco.py
  width: wide
method:
  kind: bckd
  alhpa1: 1
schedule: {epochs: ten, epochs: 12}
search:
  space:
    method.alpha3: [1]
    schedule.lr: {unifrm: [1, 2]}
tracking: {uri: "ftp://x"}
"""
COCO = "kind: shapes\n  train_images: 8"


def load(folder: Path, text: str, *sets: str) -> StudySpec:
    return load_study(write(folder, text), sets).study


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert [where for _, where, _ in findings_of(write(tmp_path, MANY))] == [
        "study.yaml:2: dataset.flip",
        "study.yaml:4: student.config",
        "study.yaml:5: student.width",
        "study.yaml:8: method.alhpa1",
        "study.yaml:9: schedule.epochs",
        "study.yaml:12: search.space.method.alpha3",
        "study.yaml:13: search.space.schedule.lr.unifrm",
        "study.yaml:14: tracking.uri",
    ]


def test_wrong_section_causes_no_complaints_about_its_stand_in(tmp_path: Path) -> None:
    text = edit("  kind: train\n", "  kind: zo\n").replace("batch_size: 16", "batch_size: x")
    assert [where for _, where, _ in findings_of(write(tmp_path, text), ("scaling.workers=5",))] == [
        "study.yaml:6: teacher.kind",
        "study.yaml:17: schedule.batch_size",
    ]


def test_error_text_is_one_finding_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, edit("alpha1: 1.0", "alhpa1: 1.0\n  gamma: 0"))
    with pytest.raises(StudyErrors) as raised:
        load_study(path)
    assert str(raised.value).splitlines() == [
        f"{path}:13: method.alhpa1: unknown key (did you mean alpha1?)",
        f"{path}:14: method.gamma: must be at least 1, got 0",
    ]


def test_lesser_findings_name_their_level() -> None:
    assert str(Finding("missing", "a.yaml:3: dataset.root", "no such folder")) == (
        "a.yaml:3: dataset.root: missing: no such folder"
    )


@pytest.mark.parametrize("path", sorted((configs_dir() / "studies").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_studies_have_no_mistakes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)
    assert {finding.level for finding in load_study(path).warnings} <= {"missing"}


# base: -----------------------------------------------------------------------------------------------------------


def test_base_is_merged_key_by_key_and_lists_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, VALID, "base.yaml")
    study = load(tmp_path, "base: base.yaml\nname: child\nmethod: {alpha2: 3}\nsearch: {seeds: [5]}\n")
    assert study.name == "child"
    assert study.method == Bckd(kind="bckd", alpha1=1.0, alpha2=3.0)
    assert study.search.seeds == (5,)
    assert study.search.space == {"method.alpha2": (2.0, 4.0)}


def test_another_kind_replaces_the_mapping(tmp_path: Path) -> None:
    write(tmp_path, VALID, "base.yaml")
    child = (
        "base: base.yaml\nschedule: {optimizer: {kind: adamw}, policy: {kind: cosine}}\nteacher: {kind: zoo, name: x}\n"
    )
    found = findings_of(write(tmp_path, child))
    assert [where for _, where, _ in found] == ["study.yaml:3: teacher.name"]


def test_same_kind_is_merged(tmp_path: Path) -> None:
    write(tmp_path, edit("lr: 1e-2", "policy: {kind: cosine, final_factor: 0.1}"), "base.yaml")
    study = load(tmp_path, "base: base.yaml\nschedule: {policy: {kind: cosine}}\n")
    assert study.schedule.policy == CosinePolicy(kind="cosine", final_factor=0.1)


def test_bases_chain_from_folder_to_folder_and_mistakes_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, edit("epochs: 12", "epohcs: 12"), "root.yaml")
    write(tmp_path / "sub", "base: ../root.yaml\nmethod: {alpha1: -1}\n", "middle.yaml")
    found = findings_of(write(tmp_path, "base: sub/middle.yaml\nscaling: {workers: two}\n"))
    assert [where for _, where, _ in found] == [
        "root.yaml:15: schedule.epohcs",
        "study.yaml:2: scaling.workers",
        "sub/middle.yaml:2: method.alpha1",
    ]


def test_overridden_mistake_of_a_base_is_none(tmp_path: Path) -> None:
    write(tmp_path, edit("alpha1: 1.0", "alpha1: -1.0"), "base.yaml")
    assert load(tmp_path, "base: base.yaml\nmethod: {alpha1: 2}\n").method == Bckd(kind="bckd", alpha1=2.0)


def test_chain_of_eight_bases_is_the_longest(tmp_path: Path) -> None:
    write(tmp_path, VALID, "0.yaml")
    for depth in range(1, 10):
        write(tmp_path, f"base: {depth - 1}.yaml\n", f"{depth}.yaml")
    assert load_study(tmp_path / "8.yaml").study.name == "demo"
    assert findings_of(tmp_path / "9.yaml") == [("error", "1.yaml:1: base", "more than 8 base files in a chain")]


def test_circle_of_bases_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "base: b.yaml\n", "a.yaml")
    write(tmp_path, "name: x\nbase: a.yaml\n", "b.yaml")
    assert findings_of(tmp_path / "a.yaml") == [
        ("error", "b.yaml:2: base", "base files go round in a circle: a.yaml -> b.yaml -> a.yaml")
    ]


# --set -----------------------------------------------------------------------------------------------------------


def test_sets_replace_values_of_any_kind(tmp_path: Path) -> None:
    sets = (
        "schedule.lr=1e-3",
        "search.seeds=[7, 8]",
        "search.space.method.alpha2=[1]",
        "tracking.tags.a.b=c",
        "name=010x",
    )
    study = load(tmp_path, VALID, *sets)
    assert (study.schedule.lr, study.search.seeds, study.name) == (0.001, (7, 8), "010x")
    assert study.search.space == {"method.alpha2": (1,)}
    assert study.tracking.tags == {"team": "vision", "a.b": "c"}


def test_set_mapping_replaces_what_was_there(tmp_path: Path) -> None:
    study = load(tmp_path, VALID, "search.space={schedule.lr: [0.1]}", "method={kind: bckd, gamma: 2}")
    assert study.search.space == {"schedule.lr": (0.1,)}
    assert study.method == Bckd(kind="bckd", gamma=2.0)


@pytest.mark.parametrize("order", [1, -1])
def test_set_kind_replaces_the_mapping_in_any_order(order: int, tmp_path: Path) -> None:
    sets = ["schedule.policy.final_factor=0.5", "schedule.policy.kind=cosine"][::order]
    assert load(tmp_path, VALID, *sets).schedule.policy == CosinePolicy(kind="cosine", final_factor=0.5)


def test_later_set_wins(tmp_path: Path) -> None:
    assert load(tmp_path, VALID, "schedule.lr=1", "schedule.lr=2").schedule.lr == 2.0


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("method.alhpa1=1", "--set method.alhpa1", "did you mean alpha1?"),
        ("method.alpha1=-1", "--set method.alpha1", "must be at least 0, got -1"),
        ("method={kind: bckd, alhpa1: 1}", "--set method: method.alhpa1", "did you mean alpha1?"),
        ("method.alpha1", "--set method.alpha1", "expected key=value"),
        ("method..alpha1=1", "--set method..alpha1", "expected key=value"),
        ("=1", "--set ", "expected key=value"),
        ("name.first=x", "--set name.first", "name is not a mapping"),
        ("method.alpha1=[1", "--set method.alpha1", "not valid YAML"),
        ("method.alpha1=*a", "--set method.alpha1", "alias *a is not allowed"),
        ("base=other.yaml", "--set base", "unknown key"),
        (".".join("a" * 40) + "=1", "--set " + ".".join("a" * 40), "expected key=value"),
    ],
)
def test_mistake_in_a_set_names_the_set(text: str, where: str, says: str, tmp_path: Path) -> None:
    found = [message for _, place, message in findings_of(write(tmp_path, VALID), (text,)) if place == where]
    assert any(says in message for message in found)


# paths -----------------------------------------------------------------------------------------------------------


def test_paths_start_at_the_file_that_gives_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_TEST_DATA", str(tmp_path / "mounted"))
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", edit(COCO, "kind: coco\n  root: ../data"), "base.yaml")
    child = "base: sub/base.yaml\n"
    (tmp_path / "data").mkdir()
    roots = [
        load(tmp_path, child).dataset,
        load(tmp_path, child + "dataset: {root: data/.}\n").dataset,
        load(tmp_path, child + "dataset: {root: '${STILLHOUSE_TEST_DATA}/coco'}\n").dataset,
    ]
    assert [root.root for root in roots if isinstance(root, CocoDataset)] == [
        str(tmp_path / "data"),
        str(tmp_path / "data"),
        str(tmp_path / "mounted" / "coco"),
    ]


def test_root_with_an_unset_variable_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLHOUSE_UNSET", raising=False)
    dataset = load(tmp_path, edit(COCO, "kind: coco\n  root: ${STILLHOUSE_UNSET}/x")).dataset
    assert isinstance(dataset, CocoDataset)
    assert dataset.root == "${STILLHOUSE_UNSET}/x"


def test_set_paths_start_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "best.pth").touch()
    detector = "{config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py'}"
    teacher = load(
        tmp_path, edit(TRAINED, ""), f"teacher={{kind: checkpoint, path: best.pth, detector: {detector}}}"
    ).teacher
    assert isinstance(teacher, CheckpointTeacher)
    assert teacher.path == str(tmp_path / "here" / "best.pth")


@pytest.mark.parametrize("suffix", ["py", "json", "yaml"])
def test_local_config_needs_trust_whatever_its_format(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"own.{suffix}").touch()
    path = write(tmp_path, VALID.replace("  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py", f"  config: own.{suffix}"))
    assert findings_of(path) == [
        (
            "error",
            "study.yaml:9: student.config",
            "a local detector config can run code: pass --trust-config if you trust it",
        )
    ]
    assert load_study(path, trust_python=True).study.student.config == str(tmp_path / f"own.{suffix}")


def test_searched_config_is_resolved_and_needs_trust_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").touch()
    path = write(tmp_path, edit("method.alpha2: [2.0, 4.0]", "student: [{config: own.py}]"))
    assert [where for _, where, _ in findings_of(path)] == ["study.yaml:20: search.space.student[0].config"]
    [value] = load_study(path, trust_python=True).study.search.space["student"]
    assert value == {"config": str(tmp_path / "own.py")}


def test_loaded_study_says_where_a_key_is(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    loaded = load_study(path, ["scaling.workers=1"])
    assert loaded.where("method.alpha1") == f"{path}:13: method.alpha1"
    assert loaded.where("method.gamma") == f"{path}:11: method.gamma"
    assert loaded.where("scaling.workers") == "--set scaling.workers"


def test_null_leaves_val_out_where_split_takes_its_place(tmp_path):
    files = "{annotations: a.json, images: i}"
    given = f"dataset:\n  kind: coco\n  root: .\n  train: {files}\n  val: {files}\n"
    study = write(tmp_path, edit("dataset:\n  kind: shapes\n  train_images: 8\n", given))
    [(_, where, message)] = findings_of(study, ("dataset.split={val: 0.2}",))[:1]
    assert (where, "leave out val (null does so, too)" in message) == ("study.yaml:2: dataset", True)
    divided = load_study(study, ("dataset.split={val: 0.2}", "dataset.val=null")).study.dataset
    without = edit("dataset:\n  kind: shapes\n  train_images: 8\n", given.replace(f"  val: {files}\n", ""))
    assert divided == load_study(write(tmp_path, without), ("dataset.split={val: 0.2}",)).study.dataset
    assert "expected a mapping or a list" in findings_of(study, ("dataset.val=null",))[0][2]
