"""Mistakes in a search are told where they are made, with what to write: forms of keys, ranges, and values that conflict."""

from pathlib import Path

import pytest

from orchestrator.study.checks.search import EVOLVES, evolving_keys
from orchestrator.study.load import load_study
from tests.unit.orchestrator.study_text import edit, findings_of, write

ROOT = Path(__file__).parents[4]
SPACE = "  space:\n    method.alpha2: [2.0, 4.0]\n"
RANDOM, OPTUNA, PBT = (f"  algorithm: {kind}\n  samples: 4\n" for kind in ("random", "optuna", "pbt"))
BCKD = "  kind: bckd\n  alpha1: 1.0\n"
TERMS = "  kind: terms\n  terms: [{kind: pkd}]\n"
WHOLE = "searched as a whole"
NO_LIST = "a range does not go into a list"


def told(folder: Path, space: str, *more: tuple[str, str], algorithm: str = "") -> list[tuple[str, str]]:
    """Return where each error of a study with this search space is, its line left out, and its message."""
    lines = "".join(f"    {line}\n" for line in space.split("\n"))
    text = edit(SPACE, f"{algorithm}  space:\n{lines}")
    for old, new in more:
        assert old in text
        text = text.replace(old, new)
    found = [(where, message) for level, where, message in findings_of(write(folder, text)) if level == "error"]
    return [(where.partition(": ")[2].removeprefix("search.space."), message) for where, message in found]


@pytest.mark.parametrize(
    ("space", "key", "says"),
    [
        ("method: {alpha2: [2.0, 4.0]}", "method", "write method.alpha2: [2.0, 4.0];"),
        (
            "schedule: {lr: [0.1], optimizer: {weight_decay: {uniform: [0.1, 0.2]}}}",
            "schedule",
            "write schedule.lr: [0.1] and schedule.optimizer.weight_decay: {uniform: [0.1, 0.2]};",
        ),
        ("optimizer: {weight_decay: [0.1, 0.2]}", "optimizer", "write schedule.optimizer.weight_decay: [0.1, 0.2];"),
        ("student: {width: 0.5}", "student", "write student.width: [0.5];"),
        ("method: {kind: bckd, alpha2: [2.0]}", "method", "method.kind: [bckd] and method.alpha2: [2.0];"),
        (
            "schedule.policy: {kind: step, milestones: [3, 4]}",
            "schedule.policy",
            "schedule.policy.kind: [step] and schedule.policy.milestones: [[3, 4]]; a mapping as one value stands in a list",
        ),
        (
            "method: {alpha1: [1.0], alpha2: [1.0], gamma: [1.0], score: [joint], iou: [iou]}",
            "method",
            "method.alpha1: [1.0], method.alpha2: [1.0], method.gamma: [1.0] and 2 more;",
        ),
        ("terms: {x: {weight: [1.0, 2.0]}}", "terms", f"method.terms is {WHOLE}: write method.terms, with whole lists"),
        ("method: {terms: {pkd: {weight: [1.0]}}}", "method", f"method.terms is {WHOLE}"),
        ("method.terms.pkd.weight: [1.0, 2.0]", "method.terms.pkd.weight", f"method.terms is {WHOLE}"),
        ('"method.terms[0].weight": [1.0, 2.0]', "method.terms[0].weight", f"method.terms is {WHOLE}"),
        (
            '"schedule.policy.milestones[0]": [1, 2]',
            "schedule.policy.milestones[0]",
            f"schedule.policy.milestones is {WHOLE}",
        ),
    ],
)
def test_keys_that_are_nested_are_told_as_they_are_written(tmp_path: Path, space: str, key: str, says: str) -> None:
    [(where, message)] = told(tmp_path, space)
    assert where == key
    assert says in message


@pytest.mark.parametrize(
    ("space", "key", "says"),
    [
        ("method.terms: [[{kind: pkd, weight: {uniform: [1.0, 2.0]}}]]", "method.terms[0][0].weight", NO_LIST),
        (
            "method: [{kind: terms, terms: [{kind: pkd, weight: {uniform: [1.0, 2.0]}}]}]",
            "method[0].terms[0].weight",
            f"{NO_LIST}: write numbers here; ranges are values of searched keys, and of keys in mappings that are listed",
        ),
        ("schedule.policy.milestones: [[{int: [1, 3]}, 9]]", "schedule.policy.milestones[0][0]", NO_LIST),
        ("schedule.policy: [{kind: step, milestones: [{int: [1, 3]}]}]", "schedule.policy[0].milestones[0]", NO_LIST),
        ("dataset.multi_scale: [{kind: choice, short: [{int: [4, 8]}]}]", "dataset.multi_scale[0].short[0]", NO_LIST),
        (
            "schedule.lr: [{uniform: [0.1, 0.2]}, 0.3]",
            "schedule.lr[0]",
            f"{NO_LIST} of values: write it without the list",
        ),
        (
            "schedule.policy.milestones: {int: [1, 3]}",
            "schedule.policy.milestones",
            "takes a list, and int draws numbers",
        ),
        (
            "schedule.policy: [{kind: step, milestones: {int: [1, 3]}}]",
            "schedule.policy[0].milestones",
            "takes a list, and int draws numbers: list its values",
        ),
        ("method.inherit: {int: [0, 1]}", "method.inherit", "takes true or false, and int draws numbers"),
        ("schedule.precision: {int: [0, 1]}", "schedule.precision", "takes fp32, bf16 or fp16, and int draws numbers"),
        ("schedule.epochs: {uniform: [12, 20]}", "schedule.epochs", "uniform draws others: write {int: [12, 20]}"),
        ("schedule.epochs: {uniform: [12, 20], step: 4}", "schedule.epochs", "write {int: [12, 20], step: 4}"),
        ("schedule.epochs: {loguniform: [12, 20]}", "schedule.epochs", "write {logint: [12, 20]}"),
        (
            "schedule.epochs: {uniform: [12.5, 20]}",
            "schedule.epochs",
            "takes whole numbers, and uniform draws others: take int",
        ),
    ],
)
@pytest.mark.parametrize("algorithm", [RANDOM, OPTUNA], ids=["random", "optuna"])
def test_a_range_where_none_goes_is_told(tmp_path: Path, algorithm: str, space: str, key: str, says: str) -> None:
    [(where, message)] = told(tmp_path, space, algorithm=algorithm)
    assert where == key
    assert says in message


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        (
            "alpha1: 1.0",
            "alpha1: {uniform: [0, 2]}",
            "method.alpha1",
            "a range goes into search.space: write search: {space: {method.alpha1: {uniform: [0, 2]}}}",
        ),
        (
            "lr: 1e-2",
            "lr: [0.1, 0.2]",
            "schedule.lr",
            "is one value: several go into search.space: write search: {space:",
        ),
        (BCKD, f"{TERMS[:-3]}, weight: {{uniform: [1, 2]}}}}]\n", "method.terms[0].weight", "a range does not go here"),
        (
            "lr: 1e-2",
            "lr: 1e-2\n  policy: {kind: step, milestones: [{int: [1, 3]}]}",
            "schedule.policy.milestones[0]",
            "a range does not go here",
        ),
    ],
)
def test_searched_values_in_a_section_are_told_where_they_go(
    tmp_path: Path, old: str, new: str, key: str, says: str
) -> None:
    text = edit(old, new).replace("method.alpha2: [2.0, 4.0]", "schedule.clip_grad: [2.0, 4.0]")
    [(_, where, message)] = findings_of(write(tmp_path, text))
    assert where.endswith(f": {key}")
    assert says in message


@pytest.mark.parametrize("algorithm", [RANDOM, OPTUNA], ids=["random", "optuna"])
@pytest.mark.parametrize(
    ("space", "key", "instead"),
    [
        ("student.backbone_depth: {int: [18, 50]}", "student.backbone_depth", "[18, 34, 50]"),
        ("student.backbone_depth: {uniform: [18, 50]}", "student.backbone_depth", "[18, 34, 50]"),
        (
            'student: [{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: {int: [20, 50]}}]',
            "student[0].backbone_depth",
            "[34, 50]",
        ),
    ],
)
def test_a_range_of_a_key_that_takes_some_numbers_is_refused_with_these(
    tmp_path: Path, algorithm: str, space: str, key: str, instead: str
) -> None:
    """An open search would find out in training."""
    [(where, message)] = told(tmp_path, space, algorithm=algorithm)
    assert where == key
    assert message.startswith("takes 18, 34, 50, 101 or 152, and ")
    assert message.endswith(f"draws others: list its values, as in {instead}")


@pytest.mark.parametrize(
    "space",
    ["student.backbone_depth: {int: [18, 34], step: 16}", "student.width: {int: [1, 2]}", "method.from: {int: [1, 3]}"],
)
def test_a_range_of_which_every_number_is_taken_is_right(tmp_path: Path, space: str) -> None:
    assert told(tmp_path, space, algorithm=RANDOM) == []


LATE = "milestones [16] lie at or after the last epoch (12): they would never act"


@pytest.mark.parametrize(
    ("space", "key", "says"),
    [
        (
            "schedule.policy.milestones: [[8], [16]]\nschedule.lr: [0.1, 0.2]",
            "milestones[1]",
            "= [16]: schedule: milestones",
        ),
        ("schedule.lr: [0.1, 0.2]\nschedule.policy.milestones: [[8], [16]]", "milestones[1]", LATE),
        (
            "schedule.policy.milestones: [[8], [16]]\nschedule.epochs: [12, 24]",
            "milestones[1]",
            f"= [16], schedule.epochs = 12: schedule: {LATE} (the other: study.yaml:21: search.space.schedule.epochs[0])",
        ),
        (
            "schedule.policy: [{kind: step, milestones: [16]}, {kind: cosine}]\nschedule.lr: [0.1, 0.2]",
            "policy[0]",
            LATE,
        ),
        (
            "schedule.epochs: [6, 24]\nschedule.lr: [0.1, 0.2]",
            "epochs[0]",
            "with schedule.epochs = 6: schedule: milestones",
        ),
        (
            "schedule.closing_epochs: [2, 12]\nschedule.lr: [0.1, 0.2]",
            "closing_epochs[1]",
            "with schedule.closing_epochs = 12:",
        ),
        (
            "teacher.schedule.epochs: [5, 12]\nteacher.seed: [0, 1]",
            "teacher.schedule.epochs[0]",
            "or --set teacher.schedule.policy.kind=cosine",
        ),
    ],
)
def test_values_that_conflict_are_told_at_the_keys_that_do(tmp_path: Path, space: str, key: str, says: str) -> None:
    [(where, message)] = told(tmp_path, space)
    assert where.endswith(key)
    assert says in message


def test_the_last_key_is_not_blamed_for_a_value_that_is_wrong_whatever_it_is(tmp_path: Path) -> None:
    space = "schedule.policy.kind: [cosine, step]\nschedule.policy.milestones: [[8], [16]]\nschedule.lr: [0.1, 0.2]"
    assert {where for where, _ in told(tmp_path, space)} == {
        "schedule.policy.milestones[0]",
        "schedule.policy.milestones[1]",
    }


FGD = (BCKD, "  kind: fgd\n")


@pytest.mark.parametrize(
    ("key", "more"),
    [
        *(
            (f"method.{key}", FGD)
            for key in ("weight", "foreground", "background", "attention", "relation", "temperature")
        ),
        ("method.kd_temperature", (BCKD, "  kind: ld\n  variant: full\n")),
        ("method.gamma", (BCKD, BCKD)),
    ],
)
def test_a_population_changes_weights_of_losses_and_temperatures(
    tmp_path: Path, key: str, more: tuple[str, str]
) -> None:
    assert told(tmp_path, f"{key}: {{uniform: [1.0, 2.0]}}", more, ("[0, 1]", "[0]"), algorithm=PBT) == []


@pytest.mark.parametrize("key", ["method.detach_weight", "method.score", "schedule.epochs", "method.levels"])
def test_a_population_changes_nothing_else(tmp_path: Path, key: str) -> None:
    values = {"method.score": "[joint]", "method.detach_weight": "[true]"}.get(key, "[4]")
    method = (BCKD, "  kind: pkd\n") if key == "method.levels" else (BCKD, BCKD)
    found = told(
        tmp_path,
        f"{key}: {values}",
        method,
        ("[0, 1]", "[0]"),
        ("lr: 1e-2", "lr: 1e-2\n  policy: {kind: constant}"),
        algorithm=PBT,
    )
    assert (key, f"cannot change in the midst of a training: pbt changes {EVOLVES}") in found


def test_the_page_says_what_a_population_changes() -> None:
    page = " ".join((ROOT / "docs/studies.md").read_text().replace("`", "").split())
    assert f"population can change {EVOLVES}." in page
    assert {"method.foreground", "method.relation", "method.pkd_weight"} <= evolving_keys()


def test_a_mapping_as_one_value_of_a_list_is_searched_as_ever(tmp_path: Path) -> None:
    path = write(tmp_path, edit(SPACE, "  space:\n    schedule.policy: [{kind: step, milestones: [3]}]\n"))
    assert load_study(path).study.search.space["schedule.policy"] == ({"kind": "step", "milestones": [3]},)
