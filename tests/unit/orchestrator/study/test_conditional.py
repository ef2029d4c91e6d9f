"""Ranges inside a listed mapping are drawn where it is chosen, checked at their ends, and refused where nothing draws them."""

from pathlib import Path

import pytest

from orchestrator.results.settings import searched_settings
from orchestrator.study import space
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.load import load_study
from orchestrator.study.schema import Search
from orchestrator.study.space import ListedValues, is_listed, points, values_of
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import edit, findings_of, write

SPACE = """\
  algorithm: random
  samples: 60
  space:
    schedule.policy: [{kind: cosine}, {kind: step, milestones: [8], gamma: {uniform: [0.05, 0.5]}}]
    method: [{kind: pkd, weight: {int: [1, 4]}}, {kind: bckd, alpha1: {uniform: [0.0, 2.0], step: 0.5}, alpha2: 4.0}]
  seeds:"""
OLD = "  space:\n    method.alpha2: [2.0, 4.0]\n  seeds:"


def search_of(folder: Path, space: str = SPACE) -> Search:
    return load_study(write(folder, edit(OLD, space))).study.search


def test_what_is_drawn_belongs_to_the_mapping_that_is_chosen(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    drawn = list(points(search))
    assert drawn == list(points(search))
    steps = [policy for point in drawn if (policy := point["schedule.policy"])["kind"] == "step"]  # type: ignore[index,call-overload]
    assert 10 < len(steps) < 50
    assert all(0.05 <= policy["gamma"] <= 0.5 and policy["milestones"] == [8] for policy in steps)  # type: ignore[index,call-overload,operator]
    assert len({policy["gamma"] for policy in steps}) == len(steps)  # type: ignore[index,call-overload]
    methods = [point["method"] for point in drawn]
    assert {method["weight"] for method in methods if method["kind"] == "pkd"} == {1, 2, 3, 4}  # type: ignore[index,call-overload]
    assert {method["alpha1"] for method in methods if method["kind"] == "bckd"} == {0.0, 0.5, 1.0, 1.5, 2.0}  # type: ignore[index,call-overload]
    domain = search.space["method"]
    assert isinstance(domain, tuple)
    assert {ListedValues(domain).place_of(method) for method in methods} == {0, 1}
    assert ListedValues(domain).place_of({"kind": "pkd", "weight": 5}) is None


def test_a_long_list_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[object]()
    monkeypatch.setattr(space, "canonical_json", lambda value: written.append(value) or canonical_json(value))  # type: ignore[func-returns-value]
    count = 300
    rates = [0.001 * (1 + number) for number in range(count)]
    path = write(tmp_path, edit(OLD, f"  space: {{schedule.lr: {rates}}}\n  seeds:"))
    assert len(load_study(path).study.search.space["schedule.lr"]) == count  # type: ignore[arg-type]
    assert 0 < len(written) < 10 * count


def test_the_trials_have_the_numbers_and_the_results_name_the_keys(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, edit(OLD, SPACE), "search.samples=5")
    for trial in plan.students:
        if not trial.is_baseline and trial.spec.method.kind == "pkd":
            assert trial.params["method"] == {"kind": "pkd", "weight": trial.spec.method.weight}
    assert searched_settings(plan.study.search.space) == (
        "schedule.policy.kind", "schedule.policy.milestones", "schedule.policy.gamma",
        "method.kind", "method.weight", "method.alpha1", "method.alpha2",
    )  # fmt: skip


def test_the_ends_stand_for_the_values(tmp_path: Path) -> None:
    search = search_of(tmp_path)
    assert values_of(search.space["method"]) == (
        {"kind": "pkd", "weight": 1}, {"kind": "pkd", "weight": 4},
        {"kind": "bckd", "alpha1": 0.0, "alpha2": 4.0}, {"kind": "bckd", "alpha1": 2.0, "alpha2": 4.0},
    )  # fmt: skip
    assert not is_listed(search.space["method"])
    assert is_listed(
        search_of(
            tmp_path, SPACE.replace("{int: [1, 4]}", "2").replace("{uniform: [0.0, 2.0], step: 0.5}", "1.0")
        ).space["method"]
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[0.05, 0.5]", "[0.5, 0.05]", "search.space.schedule.policy[1].gamma: low must be below high, got [0.5, 0.05]"),
        ("{int: [1, 4]}", "{int: [1, 4.5]}", "search.space.method[0].weight: int needs two integers, [low, high], got [1, 4.5]: write {uniform: [1, 4.5]}"),
        ("{int: [1, 4]}", "{int: [1, 4], stop: 2}", "search.space.method[0].weight.stop: unknown key (did you mean step?)"),
        ("{int: [1, 4]}", "{int: [-1, 4]}", "search.space.method[0].weight: value {kind: pkd, weight: -1}: weight: must be at least 0, got -1"),
        ("{uniform: [0.05, 0.5]}", "{unifrm: [0.05, 0.5]}", "gamma: expected a number, got a mapping"),
        ("algorithm: random\n  samples: 60", "algorithm: grid", "a distribution needs algorithm: random"),
    ],
)  # fmt: skip
def test_a_wrong_range_inside_is_told_once(old: str, new: str, says: str, tmp_path: Path) -> None:
    text = edit(OLD, SPACE)
    assert old in text
    messages = [
        f"{where}: {message}"
        for level, where, message in findings_of(write(tmp_path, text.replace(old, new)))
        if level == "error"
    ]
    assert messages
    assert says in messages[0]
    assert len(messages) == (2 if "grid" in new else 1)  # in a grid both keys hold a range


def test_every_wrong_range_inside_is_told_at_its_own_line(tmp_path: Path) -> None:
    lines = """\
  algorithm: random
  samples: 4
  space:
    method:
      - {kind: pkd, weight: 1.0}
      - kind: bckd
        alpha1: {uniform: [2.0, 1.0]}
        alpha2: {loguniform: [0, 1]}
        gamma: {int: [1, 9], step: 3}
      - {kind: bckd, alpha1: -1.0, alpha2: {int: [-4, 4], stp: 1}}
    schedule.policy:
      - {kind: cosine}
      - kind: step
        milestones: [8]
        gamma: {uniform: [0.1, x]}
  seeds:"""
    found = [(where, message) for _, where, message in findings_of(write(tmp_path, edit(OLD, lines)))]
    assert found == [
        ("study.yaml:25: search.space.method[1].alpha1", "low must be below high, got [2.0, 1.0]"),
        ("study.yaml:26: search.space.method[1].alpha2", "needs 0 < low < high, got [0.0, 1.0]"),
        (
            "study.yaml:27: search.space.method[1].gamma",
            "steps of 3 from 1 do not come to 9: give [1, 7] or another step",
        ),
        ("study.yaml:28: search.space.method[2].alpha2.stp", "unknown key (did you mean step?)"),
        (
            "study.yaml:33: search.space.schedule.policy[1].gamma",
            "uniform needs two numbers, [low, high], got [0.1, text 'x']: as in {uniform: [0.0, 2.0]}",
        ),
    ]


def test_ends_that_no_section_takes_are_told_at_their_own_lines(tmp_path: Path) -> None:
    lines = """\
  algorithm: random
  samples: 4
  space:
    method:
      - kind: bckd
        alpha2: 3.0
        alpha1: {uniform: [-2.0, 1.0]}
      - kind: bckd
        gamma: {int: [2, 40]}
  seeds:"""
    found = [where for _, where, _ in findings_of(write(tmp_path, edit(OLD, lines)))]
    assert found == ["study.yaml:25: search.space.method[0].alpha1", "study.yaml:27: search.space.method[1].gamma"]
