"""Prove that what the benchmarks conclude from their times is right, and that both sides of a figure compute the same."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.benchmarks import document, evaluation, terms
from tests.benchmarks.figure import Figure, Measured, Row, Setting
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.pairs import Clock, interleave, upper_bound
from trainers.evaluation.evaluate import STATISTICS, coco_metrics

CPU = torch.device("cpu")
SETTING = Setting(CPU, pairs=5, threads=1)


@pytest.mark.parametrize("count", [5, 8, 9, 16])
def test_the_bound_lies_above_the_median_in_95_of_100_experiments(count: int) -> None:
    rng = np.random.default_rng(count)
    draws = np.exp(rng.normal(0, 0.2, (4000, count))) * np.where(rng.random((4000, count)) < 0.1, 3.0, 1.0)
    median = float(np.median(np.exp(rng.normal(0, 0.2, 200_000)) * np.where(rng.random(200_000) < 0.1, 3.0, 1.0)))
    above = np.mean([upper_bound(row.tolist()) >= median for row in draws])
    assert above > 0.94


def test_four_values_bound_nothing() -> None:
    with pytest.raises(ValueError, match="4 values"):
        upper_bound([1.0] * 4)


def test_each_side_goes_first_in_every_other_pair() -> None:
    order: list[str] = []
    found = interleave(lambda: order.append("a"), lambda: order.append("b"), 3, Clock(CPU), warm_up=0)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert len(found.ours) == len(found.theirs) == 3


@pytest.mark.parametrize(
    ("at_least", "ratios", "holds"),
    [
        (False, [1.0, 1.0, 1.0, 1.0, 1.04], True),
        (False, [1.0, 1.0, 1.0, 1.0, 1.06], False),
        (True, [1.2, 1.2, 1.2, 1.2, 1.06], True),
        (True, [1.2, 1.2, 1.2, 1.2, 1.04], False),
    ],
)
def test_a_bar_holds_when_the_bound_does(at_least: bool, ratios: list[float], holds: bool) -> None:
    row = Row(Figure("name", "what", 1.05, "module:function", at_least), SETTING, Measured(ratios, "note"))
    assert row.holds == holds
    assert ("**no**" in row.markdown()) != holds


def test_every_figure_can_be_measured_by_somebody() -> None:
    for figure in FIGURES:
        module, _, function = figure.address.partition(":")
        assert hasattr(import_module(f"tests.benchmarks.{module}"), function)


def test_the_plain_loop_and_the_terms_are_one_formula() -> None:
    outputs = terms.draw(CPU, 2, (96, 160))
    first, second = terms.fused(outputs), terms.looped(outputs)
    assert second.item() == pytest.approx(first.item(), rel=1e-5)
    for one, other in zip(*(torch.autograd.grad(loss, outputs.leaves()) for loss in (first, second)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_both_evaluations_find_the_same() -> None:
    truth, found = evaluation.draw(12, 30)
    metrics = coco_metrics(truth, found, "faster-coco-eval", list(range(1, evaluation.CLASSES + 1)))  # type: ignore[attr-defined]
    ours = [metrics[f"coco/{name}"] for name in STATISTICS]
    assert ours == pytest.approx(evaluation.pycocotools(truth, found), abs=1e-15)
    assert ours[0] > 0.0


def test_a_table_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(
        "above\n<!-- figures -->\nold\n<!-- /figures -->\nbetween\n<!-- replay -->\n<!-- /replay -->\nbelow\n"
    )
    monkeypatch.setattr(document, "DOCUMENT", path)
    document.write_table("new")
    document.write_replay("curves")
    figures, replay = "<!-- figures -->\nnew\n<!-- /figures -->", "<!-- replay -->\ncurves\n<!-- /replay -->"
    assert path.read_text() == f"above\n{figures}\nbetween\n{replay}\nbelow\n"
