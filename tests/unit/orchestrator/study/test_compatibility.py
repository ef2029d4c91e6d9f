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
from trainers.schema.heads import HeadSpec, heads, other_head
from trainers.schema.method import Bckd, CrossKd, FeatureMethod, Gid, Ld, PkdBckd, PkdMethod, TermSum, terms_of
from trainers.schema.terms import BckdCls, BckdLoc, LdMain, Need, Pkd

DOCS = Path(__file__).parents[4] / "docs" / "methods.md"
GFL, ATSS, RETINA = (
    f"mmdet::{name}_fpn_1x_coco.py" for name in ("gfl/gfl_r50", "atss/atss_r50", "retinanet/retinanet_r50")
)
# What the literature allows: box distributions exist on GFL alone, GID compares regression deltas, CrossKD needs a head
# of stacked convolutions for classes and boxes apart, and YOLOX, RTMDet and TOOD assign by their own predictions.
FEATURES_ALONE = {"other detectors"}  # a head that nobody has described gives nothing else
ALL = {"GFL", "ATSS", "FCOS", "RetinaNet", "YOLOX", "RTMDet", "TOOD", "VFNet"}
EXPECTED = {
    "bckd": ALL,
    "ld (main)": {"GFL"},
    "ld (full)": {"GFL"},
    "pkd": ALL | FEATURES_ALONE,
    "pkd+bckd": ALL,
    **dict.fromkeys(("cwd", "mgd", "fgd"), ALL | FEATURES_ALONE),
    "feature": ALL,  # weighs by the teacher's scores
    "gid-response": {"ATSS", "FCOS", "RetinaNet", "VFNet"},
    "crosskd": {"GFL", "ATSS", "FCOS", "RetinaNet", "RTMDet", "VFNet"},
}


ACROSS = ["pkd", "cwd", "mgd", "fgd", "feature"]  # what compares pyramid features, whatever the heads are


def test_the_matrix_is_what_the_methods_need_and_the_heads_have():
    found = {
        name: {head.detector for head in (*heads().values(), other_head("AnyHead")) if fits(method, head, head)}
        for name, method in presets().items()
    }
    assert found == EXPECTED


def test_only_features_can_be_compared_across_heads():
    for name, method in presets().items():
        crossing = [(t.detector, s.detector) for t in heads().values() for s in heads().values() if fits(method, t, s)]
        assert any(teacher != student for teacher, student in crossing) is (name in ACROSS)


def test_a_head_that_gives_nothing_is_told_what_it_lacks():
    bare = HeadSpec("BareHead", "Bare", "none:None", frozenset({Need.FEATURES}))
    assert list(misfits(PkdMethod(kind="pkd"), bare, bare)) == []
    assert list(misfits(Gid(kind="gid-response"), bare, bare)) == [
        (
            "gid-response needs classification logits, decoded boxes, matching of given boxes, raw deltas, "
            "which BareHead does not give"
        )
    ]


def test_of_a_written_sum_the_terms_that_lack_something_are_named():
    other = other_head("SSDHead")
    method = TermSum(kind="terms", terms=(Pkd(kind="pkd"), LdMain(kind="ld-main")))
    assert list(misfits(method, heads()["GFLHead"], other)) == [
        (
            "ld-main needs anchor weights and normaliser, box distributions, classification logits, "
            "which SSDHead does not give: GFL does"
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
    assert content["across_heads"] == ACROSS


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
            study("kind: crosskd", widths=(0.5, 1.0)),
            "study.yaml:8: method.kind: crosskd needs heads of equal channels: the teacher's has 128, the student's 256",
        ),
        (
            study("{kind: mgd, from: 12}"),
            "study.yaml:8: method.from: mgd never acts: from (12) lies at or after the end of the schedule (12 epochs)",
        ),
        (
            study("{kind: mgd, from: 0.5, until: 6}"),
            "study.yaml:8: method.from: mgd never acts: until (6) does not come after from (0.5)",
        ),
        (
            study("{kind: terms, terms: [{kind: cwd, until: 3}, {kind: mgd, from: 20}]}"),
            "study.yaml:8: method.terms: mgd never acts: from (20) lies at or after the end of the schedule (12 epochs)",
        ),
        (
            study(
                "{kind: terms, terms: [{kind: cwd, weight: {grad_share: 0.5}}, {kind: mgd, weight: {grad_share: 0.5}}]}"
            ),
            "study.yaml:7: method: the terms hold shares of 1 together, which leaves nothing to the rest",
        ),
        (
            study("{kind: cwd, weight: many}"),
            "study.yaml:8: method.weight: expected a number or a mapping, got text 'many'",
        ),
        (study("{kind: cwd, from: 1.5}"), "study.yaml:8: method.from: give whole epochs, or a share of the schedule"),
        (
            study("{kind: crosskd, convs: 5}"),
            "study.yaml:8: method.kind: crosskd reads features after 5 convolutions, a head here has 4",
        ),
    ],
    ids=[
        "gid-on-gfl",
        "ld-on-atss",
        "crosskd-across",
        "crosskd-of-unequal-width",
        "from-the-end",
        "until-before-from",
        "a-term-from-the-end",
        "shares-of-everything",
        "no-weight",
        "no-moment",
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


@pytest.mark.parametrize("method", ACROSS)
def test_pyramid_features_are_compared_across_widths_and_heads(method, tmp_path):
    text = study(f"{{kind: {method}, from: 2, until: 0.9, weight: {{grad_share: 0.3}}}}", RETINA, GFL, (1.0, 0.5))
    assert load_study(write(tmp_path, text)).warnings == ()


def test_a_teacher_of_features_alone_has_no_scores():
    bare = HeadSpec("BareHead", "Bare", "none:None", frozenset({Need.FEATURES}))
    method = FeatureMethod(kind="feature")
    assert list(misfits(method, bare, bare)) == ["feature needs classification logits, which BareHead does not give"]
    assert list(misfits(method, heads()["GFLHead"], bare)) == []


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


def test_weights_of_pyramid_features_are_the_papers_for_one_stage_detectors():
    keys = ("weight", "temperature", "mask_ratio", "foreground", "background", "attention", "relation")
    found = {name: terms_of(presets()[name])[0].model_dump(include=set(keys)) for name in ACROSS[1:]}
    assert found == {
        "cwd": {"weight": 10.0, "temperature": 1.0},
        "mgd": {"weight": 2e-5, "mask_ratio": 0.65},
        "fgd": {
            "weight": 1.0,
            "temperature": 0.5,
            "foreground": 1e-3,
            "background": 5e-4,
            "attention": 5e-4,
            "relation": 5e-6,
        },
        "feature": {"weight": 6.0},
    }


def test_keys_that_came_later_are_out_of_the_identity_at_their_defaults():
    def identities(**keys):
        return [set(term) for term in canonical_method(Bckd(kind="bckd", **keys))["terms"]]

    earlier = identities()
    assert earlier == identities(**{"from": 0, "until": None, "ramp": 0})
    assert identities(**{"from": 3, "until": 0.5}) == [keys | {"from", "until"} for keys in earlier]
    assert all(not keys & {"from", "until", "ramp"} for keys in earlier)


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
