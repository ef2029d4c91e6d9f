"""One list names metrics in words."""

import pytest

from orchestrator.results.metric_names import name_of, title_of


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        ("coco/bbox_mAP", "AP"),
        ("voc/AP50", "VOC AP50"),
        ("loss/total", "Total loss"),
        ("loss/bckd-cls", "Loss: bckd-cls"),
        ("grad_share/bckd-loc", "Share of the gradient: bckd-loc"),
        ("time/train_s", "Training time, s"),
        ("somebody's/own", "somebody's/own"),
        ("loss/", "loss/"),
    ],
)
def test_title(metric: str, title: str) -> None:
    assert title_of(metric) == title
    assert (name_of(metric) is None) == (title == metric)
