"""Which method works with which pair of heads: decided before anything starts, and said the same way everywhere."""

import json
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.core.findings import StudyErrors
from orchestrator.study.compatibility import markdown
from orchestrator.study.fingerprint import canonical_json, canonical_method
from orchestrator.study.load import load_study
from tests.unit.orchestrator.study_text import write
from trainers.schema.compatibility import fits, misfits, presets
from trainers.schema.heads import HeadSpec, heads
from trainers.schema.method import Bckd, CrossKd, Gid, Ld, PkdBckd, PkdMethod, TermSum, terms_of
from trainers.schema.terms import BckdCls, BckdLoc, Need, Pkd

DOCS = Path(__file__).parents[4] / "docs" / "methods.md"
GFL, ATSS, RETINA = (
    f"mmdet::{name}_fpn_1x_coco.py" for name in ("gfl/gfl_r50", "atss/atss_r50", "retinanet/retinanet_r50")
)
# What the literature allows: box distributions exist on GFL alone, GID compares regression deltas, CrossKD needs a head
# of stacked convolutions, and YOLOX assigns by its own predictions.
EXPECTED = {
    "bckd": {"GFL", "ATSS", "FCOS", "RetinaNet", "YOLOX"},
    "ld (main)": {"GFL"},
    "ld (full)": {"GFL"},
    "pkd": {"GFL", "ATSS", "FCOS", "RetinaNet", "YOLOX"},
    "pkd+bckd": {"GFL", "ATSS", "FCOS", "RetinaNet", "YOLOX"},
    "gid-response": {"ATSS", "FCOS", "RetinaNet"},
    "crosskd": {"GFL", "ATSS", "FCOS", "RetinaNet"},
}


def test_the_matrix_is_what_the_methods_need_and_the_heads_have():
    found = {
        name: {head.detector for head in heads().values() if fits(method, head, head)}
        for name, method in presets().items()
    }
    assert found == EXPECTED


def test_only_features_can_be_compared_across_heads():
    for name, method in presets().items():
        crossing = [(t.detector, s.detector) for t in heads().values() for s in heads().values() if fits(method, t, s)]
        assert any(teacher != student for teacher, student in crossing) is (name == "pkd")


def test_a_head_that_gives_nothing_is_told_what_it_lacks():
    bare = HeadSpec("BareHead", "Bare", "none:None", frozenset({Need.FEATURES}))
    assert list(misfits(PkdMethod(kind="pkd"), bare, bare)) == []
    assert list(misfits(Gid(kind="gid-response"), bare, bare)) == [
        (
            "gid-response needs classification logits, decoded boxes, matching of given boxes, raw deltas, "
            "which BareHead does not give"
        )
    ]


def test_documentation_holds_the_matrix():
    assert markdown() in DOCS.read_text(encoding="utf-8")


def test_the_command_prints_the_matrix_for_people_documents_and_scripts(capsys):
    assert main(["methods"]) == 0
    assert "gid-response needs raw deltas, which GFLHead does not give" in capsys.readouterr().out
    assert main(["methods", "--markdown"]) == 0
    assert capsys.readouterr().out == markdown()
    assert main(["methods", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert {
        row["method"]: {name for name, fit in row["detectors"].items() if fit} for row in content["methods"]
    } == EXPECTED
    assert content["across_heads"] == ["pkd"]


# ----------------------------------------------------------------------------------------------------- in a study


def study(method: str, teacher: str = GFL, student: str = GFL, widths: tuple[float, float] = (1.0, 1.0)) -> str:
    return (
        "name: demo\ndataset: {kind: shapes}\nteacher:\n  kind: random\n"
        f"  detector: {{config: {teacher}, width: {widths[0]}, weights: random}}\n"
        f"student: {{config: {student}, width: {widths[1]}, weights: random}}\nmethod:\n  {method}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (study("kind: gid-response"), "study.yaml:8: method.kind: gid-response needs raw deltas, which GFLHead"),
        (study("kind: ld", ATSS, ATSS), "study.yaml:8: method.kind: ld-main needs box distributions, which ATSSHead"),
        (
            study("kind: crosskd", RETINA, GFL),
            "study.yaml:5: teacher.detector.config: crosskd needs equal heads: the teacher has RetinaHead, the student GFL",
        ),
        (
            study("kind: pkd", widths=(0.5, 1.0)),
            (
                "study.yaml:8: method.kind: pkd needs pyramids of equal channels and levels: "
                "the teacher's has 128 channels on 5 levels, the student's 256 channels on 5 levels"
            ),
        ),
        (
            study("kind: crosskd", widths=(0.5, 1.0)),
            "study.yaml:8: method.kind: crosskd needs heads of equal channels: the teacher's has 128, the student's 256",
        ),
        (
            study("{kind: crosskd, convs: 5}"),
            "study.yaml:8: method.kind: crosskd reads features after 5 convolutions, a head here has 4",
        ),
    ],
    ids=[
        "gid-on-gfl",
        "ld-on-atss",
        "crosskd-across",
        "pkd-of-unequal-width",
        "crosskd-of-unequal-width",
        "too-many-convs",
    ],
)
def test_what_does_not_go_together_is_an_error(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, text)
    with pytest.raises(StudyErrors) as error:
        load_study("study.yaml")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1  # one mistake, though several terms trip over it


@pytest.mark.parametrize(
    ("method", "teacher", "student"),
    [("kind: pkd", RETINA, GFL), ("kind: crosskd", ATSS, ATSS), ("kind: gid-response", RETINA, RETINA)],
)
def test_what_goes_together_is_none(method, teacher, student, tmp_path):
    assert load_study(write(tmp_path, study(method, teacher, student))).warnings == ()


# --------------------------------------------------------------------------------------------- presets and identity


def test_presets_stand_for_the_terms_and_weights_of_their_papers():
    def of(method):
        return {term.kind: term.weight for term in terms_of(method)}

    assert of(Bckd(kind="bckd")) == {"bckd-cls": 1.0, "bckd-loc": 4.0}
    assert of(PkdBckd(kind="pkd+bckd")) == {"bckd-cls": 0.25, "bckd-loc": 2.0, "pkd": 10.0}
    assert of(Ld(kind="ld")) == {"ld-main": 0.25}
    assert of(Ld(kind="ld", variant="full")) == {"kd-main": 10.0, "ld-main": 0.25, "ld-vlr": 0.25}
    assert of(CrossKd(kind="crosskd")) == {"crosskd-cls": 1.0, "crosskd-box": 4.0}
    temperatures = {term.kind: term.temperature for term in terms_of(Ld(kind="ld", variant="full"))}  # type: ignore[attr-defined]
    assert temperatures == {"kd-main": 2.0, "ld-main": 10.0, "ld-vlr": 10.0}
    assert [term.iou for term in terms_of(Bckd(kind="bckd", variant="paper"))[1:]] == ["iou"]  # type: ignore[attr-defined]


def test_a_preset_and_its_terms_written_out_have_one_identity():
    preset = PkdBckd(kind="pkd+bckd", variant="paper", iou="giou")
    switches = {"level_gate": "none"}
    spelled = TermSum(
        kind="terms",
        terms=(
            Pkd(kind="pkd"),
            BckdLoc(kind="bckd-loc", weight=2.0, iou="giou", **switches),
            BckdCls(kind="bckd-cls", weight=0.25, **switches),
        ),
    )
    assert canonical_json(canonical_method(spelled)) == canonical_json(canonical_method(preset))
    inheriting = preset.model_copy(update={"inherit": True})
    assert canonical_json(canonical_method(inheriting)) != canonical_json(canonical_method(preset))


# -------------------------------------------------------------------------------------------------- several bases


def test_of_several_bases_the_later_wins_and_the_study_wins_over_all(tmp_path):
    write(tmp_path, "schedule: {epochs: 20, lr: 0.5, val_interval: 3}\n", "a.yaml")
    write(tmp_path, "schedule: {epochs: 30, val_interval: 4}\n", "b.yaml")
    bases = "base: [stillhouse::studies/quickstart.yaml, a.yaml, b.yaml]\n"
    schedule = load_study(write(tmp_path, f"{bases}schedule: {{val_interval: 5}}\n")).study.schedule
    assert (schedule.val_interval, schedule.epochs, schedule.lr, schedule.batch_size) == (5, 30, 0.5, 2)


def test_two_bases_may_share_one(tmp_path):
    write(tmp_path, "base: stillhouse::studies/quickstart.yaml\n", "root.yaml")
    write(tmp_path, "base: root.yaml\nschedule: {epochs: 20}\n", "a.yaml")
    write(tmp_path, "base: root.yaml\nname: b\n", "b.yaml")
    study = load_study(write(tmp_path, "base: [a.yaml, b.yaml]\n")).study
    assert (study.name, study.schedule.epochs) == ("b", 6)  # b's own base lies over a
