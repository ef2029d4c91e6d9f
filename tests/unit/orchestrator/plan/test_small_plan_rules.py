"""Small rules of a plan by value: resources in words, loaders, machines to come, scores on the test split, shared cohorts."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.plan.cohorts import MOST, _cut, _size
from orchestrator.plan.growth import NodeKind, as_one, grown
from orchestrator.plan.machine import Machine
from orchestrator.plan.resources import MOST_LOADERS, loaders_for, wanted, workers_on
from orchestrator.plan.split_scores import FILE, read_scores, write_scores
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID


@pytest.mark.parametrize(
    ("workers", "sizes", "cpus", "gpus", "text"),
    [(1, (), 2, 0.0, "1 worker x 2 CPU"), (2, (), 4, 1.0, "2 workers x 4 CPU + 1 GPU"), (1, (), 1, 0.5, "1 worker x 1 CPU + 0.5 GPU"), (4, (2, 4), 1, 0.0, "2 or 4 workers x 1 CPU")],
)  # fmt: skip
def test_what_a_trial_needs_is_said_in_words(workers, sizes, cpus, gpus, text):
    assert wanted(SimpleNamespace(workers=workers, sizes=sizes, cpus_per_worker=cpus, gpus_per_worker=gpus)) == text


@pytest.mark.parametrize(
    ("nodes", "gpus", "loaders"),
    [([(8, 2)], 1.0, 3), ([(8, 2)], 0.5, 1), ([(8, 2), (4, 2)], 1.0, 1), ([(8, 0), (9, 2)], 1.0, 3), ([(2, 2)], 1.0, 0), ([(999, 1)], 1.0, MOST_LOADERS), ([(8, 2)], 0.0, 0), ([(8, 0)], 1.0, 0)],
)  # fmt: skip
def test_loaders_take_the_cpus_that_the_poorest_machine_leaves(nodes, gpus, loaders):
    assert loaders_for(tuple(Machine(*node) for node in nodes), gpus) == loaders


def test_workers_fit_where_cpus_and_shares_of_a_gpu_do():
    assert workers_on(Machine(8, 2), 2, 1.0) == 2
    assert workers_on(Machine(8, 2), 2, 0.5) == 4
    assert workers_on(Machine(8, 2), 3, 0.4) == 2
    assert workers_on(Machine(7, 0), 2, 0.0) == 3
    assert workers_on(Machine(7, 0), 2, 1.0) == 0


def test_a_cluster_grows_by_the_kinds_that_are_not_there_yet():
    kinds = [NodeKind(8, 2, 2), NodeKind(16, 2, 1), NodeKind(4, 0, 1)]
    found = grown([Machine(15, 2), Machine(2, 0)], kinds)  # most like the second kind, and like the third
    assert (found.cpus, found.gpus) == (15 + 2 + 8 + 8, 6)
    assert [(node.cpus, node.gpus) for node in found.nodes] == [(15, 2), (2, 0), (8, 2), (8, 2)]
    assert (found.present.cpus, found.present.gpus) == (17, 2)
    assert grown([Machine(8, 1)], [NodeKind(8, 2, 1)]).gpus == 3, "a machine with other GPUs is none of the kind"
    assert as_one([]).cpus == 0


def test_scores_on_the_test_split_come_back_and_damaged_ones_do_not(tmp_path: Path):
    assert read_scores(tmp_path) is None
    write_scores(tmp_path, "digest", {"AP": 0.5})
    found = read_scores(tmp_path)
    assert (found.data, dict(found.metrics)) == ("digest", {"AP": 0.5})
    assert found.at_ms == int(1000 * (tmp_path / FILE).stat().st_mtime)
    content = json.loads((tmp_path / FILE).read_text())
    damaged: list[Any] = [
        [],
        1,
        {},
        {"data": "d"},
        {**content, "metrics": []},
        {**content, "metrics": {"AP": None}},
        {**content, "metrics": {"AP": "x"}},
        {"metrics": {}},
    ]
    for one in damaged:
        (tmp_path / FILE).write_text(json.dumps(one))
        assert read_scores(tmp_path) is None


def plan_of(
    cohort: int | str,
    concurrent: int,
    students: int | None = None,
    samples: int | None = None,
    sequential: bool = False,
) -> Any:
    algorithm = SimpleNamespace(is_open=samples is not None, sequential=sequential, kind="tpe", startup=None)
    search = SimpleNamespace(cohort=cohort, samples=samples, algorithm=algorithm)
    return SimpleNamespace(
        study=SimpleNamespace(search=search),
        resources=SimpleNamespace(concurrent=concurrent),
        memory=None if students is None else SimpleNamespace(students=students),
    )


@pytest.mark.parametrize(
    ("cohort", "concurrent", "students", "most", "size"),
    [("auto", 1, None, 3, 3), ("auto", 2, None, 5, 3), ("auto", 9, None, 5, 1), ("auto", 0, None, 99, MOST), ("auto", 1, 2, 5, 2), ("auto", 1, 0, 99, MOST), (4, 1, None, 9, 4), (4, 1, None, 3, 3)],
)  # fmt: skip
def test_a_cohort_gives_every_group_something_to_do_and_fits_its_memory(
    cohort, concurrent, students, most, size, monkeypatch
):
    monkeypatch.setattr("orchestrator.plan.cohorts.is_open", lambda search: False)
    assert _size(plan_of(cohort, concurrent, students), most) == size


def test_a_sequential_search_tries_no_more_at_once_than_it_begins_with_by_chance(monkeypatch):
    monkeypatch.setattr("orchestrator.plan.cohorts.is_open", lambda search: True)
    monkeypatch.setattr("orchestrator.plan.cohorts.random_first", lambda most: most // 2)
    assert _size(plan_of("auto", 2, samples=12, sequential=True), 99) == 3
    assert _size(plan_of("auto", 9, samples=12, sequential=True), 99) == 1
    assert _size(plan_of("auto", 1, samples=99, sequential=True), 99) == MOST
    assert _size(plan_of("auto", 2, samples=12), 99) == 6
    assert _size(plan_of(9, 2, samples=4), 99) == 4


def test_trials_are_cut_into_cohorts_in_their_order():
    assert _cut(list("abcde"), 2) == [("a", "b"), ("c", "d"), ("e",)]


def test_a_plan_in_a_notebook_has_a_column_for_each_fact(tmp_path):
    plan = plan_text(tmp_path, VALID)
    text = plan._repr_html_()
    assert [text.index(f">{head}<") for head in ("id", "trial", "seed", "status")] == sorted(
        text.index(f">{head}<") for head in ("id", "trial", "seed", "status")
    )
    assert all(trial.id in text for trial in plan.trials)
