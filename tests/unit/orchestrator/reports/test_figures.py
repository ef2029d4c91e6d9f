"""Figures show the numbers that they were given, and text as text."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.core.errors import OperationError
from orchestrator.reports.figures.canvas import write_figure
from orchestrator.reports.figures.predictions import PredictedImage, draw_predictions
from orchestrator.reports.figures.training_curves import Panel, TrainingCurve, draw_training_curves, panels_of
from tests.unit.orchestrator.reports.example import plan_of
from trainers.schema.predictions import ImagePredictions, Picture, TruthBox

RAMP = {1: 0.125, 2: 0.25, 3: 0.375}


def curves(plan, **of_method):
    """Give each trial a rising curve; students of a later seed score 1/16 more."""
    return {
        trial.id: {epoch: ap + trial.spec.seed / 16 for epoch, ap in of_method[trial.spec.method.kind].items()}
        for trial in plan.students
        if trial.spec.method.kind in of_method
    }


def test_curves_are_means_and_spreads_over_seeds(tmp_path):
    plan = plan_of(tmp_path, "search.space.method.alpha2=[4.0]")
    [panel] = panels_of(plan, curves(plan, none=RAMP, bckd=RAMP))
    assert [curve.label for curve in panel.curves] == ["none, 2 seeds", "bckd alpha2=4.0, 2 seeds"]
    for curve in panel.curves:
        assert curve.epochs == (1, 2, 3)
        assert curve.mean == (15.625, 28.125, 40.625)
        assert curve.spread == pytest.approx((6.25 / 2**0.5,) * 3)


def test_epochs_that_a_seed_lacks_are_left_out(tmp_path):
    plan = plan_of(tmp_path, "search.space.method.alpha2=[4.0]")
    found = curves(plan, none=RAMP)
    found[plan.students[0].id] = {1: 0.125, 3: 0.375}
    [panel] = panels_of(plan, found)
    assert panel.curves[0].epochs == (1, 3)


def test_of_each_method_the_best_point_is_drawn(tmp_path):
    plan = plan_of(tmp_path)
    found = curves(plan, none=RAMP, bckd=RAMP)
    for trial in plan.students:
        if trial.params.get("method.alpha2") == 4.0:
            found[trial.id] = {epoch: 2 * ap for epoch, ap in found[trial.id].items()}
    [panel] = panels_of(plan, found)
    assert [curve.label for curve in panel.curves] == ["none, 2 seeds", "bckd alpha2=4.0, 2 seeds"]


def test_the_drawn_point_is_the_best_by_the_study_s_metric_at_its_best_epoch(tmp_path):
    plan = plan_of(tmp_path, "search.metric=loss/total", "search.space.method.alpha2=[2.0, 4.0]")
    scores = {trial.id: 4.0 - float(trial.params.get("method.alpha2", 0)) / 2 for trial in plan.students}
    [panel] = panels_of(plan, curves(plan, none=RAMP, bckd=RAMP), scores)
    assert [curve.label for curve in panel.curves] == ["none, 2 seeds", "bckd alpha2=4.0, 2 seeds"]
    assert panel.curves[0].mean == (0.15625, 0.28125, 0.40625)  # a loss is no percentage


def test_each_student_has_a_panel(tmp_path):
    plan = plan_of(tmp_path, "search.space={student.backbone_depth: [50, 18, 34], method.alpha2: [4.0]}")
    panels = panels_of(plan, curves(plan, none=RAMP, bckd=RAMP))
    assert [panel.student.rpartition(" ")[2] for panel in panels] == ["R50", "R18", "R34"]
    figure = draw_training_curves(panels, "x")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
    assert list(figure.axes[0].lines[0].get_ydata()) == [15.625, 28.125, 40.625]


def picture(**changes) -> Picture:
    sizes = {"width": 200, "height": 100, "shown_width": 20, "shown_height": 10}
    truth = (TruthBox(box=(10.0, 10.0, 50.0, 50.0), label=0), TruthBox(box=(1.0, 1.0, 9.0, 9.0), label=1, ignore=True))
    return Picture(**{"key": "7", "truth": truth, **sizes, **changes})


def found() -> ImagePredictions:
    return ImagePredictions(
        image="7", trial="a", boxes=((10.0, 10.0, 51.0, 50.0), (60.0, 20.0, 90.0, 40.0), (5.0, 5.0, 8.0, 8.0)),
        scores=(0.9, 0.3, 0.2), labels=(0, 1, 1), kinds=("tp", "fp", "ignored"), matches=(0, None, 1), missed=(),
    )  # fmt: skip


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 30, 30)).save(stream, "JPEG")
    return stream.getvalue()


def test_boxes_stand_where_they_were_found_from_the_threshold_on():
    figure = draw_predictions(
        [PredictedImage(picture(), jpeg(), (found(), found()))], ["x", "y"], ["cat", "dog"], (0.1, 0.3, 0.95)
    )
    assert len(figure.axes) == 9
    boxes = [[patch.get_bbox().extents.tolist() for patch in axes.patches] for axes in figure.axes]  # type: ignore[attr-defined]
    truth = [[10, 10, 50, 50], [1, 1, 9, 9]]
    assert boxes[0] == boxes[3] == boxes[6] == truth
    assert boxes[1] == boxes[2] == [[5, 5, 8, 8], [60, 20, 90, 40], [10, 10, 51, 50]]  # the surest on top
    assert boxes[4] == [[60, 20, 90, 40], [10, 10, 51, 50]]  # a score of 0.3 reaches 0.3
    assert boxes[7] == []
    assert figure.axes[1].images[0].get_extent() == [0, 200, 100, 0]  # boxes are in pixels of the original


def test_right_and_wrong_boxes_differ_in_more_than_colour():
    figure = draw_predictions([PredictedImage(picture(), jpeg(), (found(),))], ["x"], ["cat", "dog"], (0.1,))
    assert len({patch.get_linestyle() for patch in figure.axes[1].patches}) == 3


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file_whatever_the_names(tmp_path, ending):
    names = [r"$\frac{<script>&\undefined}$ \x1b", "ok"]

    def draw():
        return draw_predictions([PredictedImage(picture(), jpeg(), (found(), found()))], names, ["$x^", "<b>"], (0.1,))

    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_figure(draw, tmp_path / folder / f"x.{ending}")
    first, second = ((tmp_path / folder / f"x.{ending}").read_bytes() for folder in ("a", "b"))
    assert first == second
    if ending == "svg":
        assert "<script" not in re.sub(r"<!--.*?-->", "", first.decode(), flags=re.S)


def test_figures_have_300_dots_per_inch_and_vectors_stay_vectors(tmp_path: Path):
    figure = draw_training_curves(panels_of_one(), "x")
    for ending in ("png", "svg", "pdf"):
        write_figure(lambda: draw_training_curves(panels_of_one(), "x"), tmp_path / f"x.{ending}")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == tuple(round(300 * inches) for inches in figure.get_size_inches())
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert b"<image" not in (tmp_path / "x.svg").read_bytes()
    assert b"/Subtype /Image" not in (tmp_path / "x.pdf").read_bytes()


def test_a_figure_that_cannot_be_written_is_said(tmp_path: Path):
    with pytest.raises(OperationError, match="cannot write to"):
        write_figure(lambda: draw_training_curves(panels_of_one(), "x"), tmp_path / "no" / "x.png")


def panels_of_one():
    return [Panel("s", (TrainingCurve("none", "none", (1, 2), (10.0, 20.0), (0.0, 0.0)),))]


def test_a_method_has_one_colour_in_all_panels():
    none, ld, bckd = (
        TrainingCurve(method, method, (1, 2), (10.0, 20.0), (0.0, 0.0)) for method in ("none", "ld", "bckd")
    )
    figure = draw_training_curves([Panel("a", (none, ld, bckd)), Panel("b", (none, bckd), "from c")], "x")
    first, second = ([line.get_color() for line in axes.lines] for axes in figure.axes)
    assert [first[0], first[2]] == second
    assert len(set(first)) == 3
    assert figure.axes[1].get_title() == "b\nfrom c"
