"""Class names as metrics: each class has its own, MLflow takes it, and the name comes back."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric

from trainers.schema.class_metrics import class_metric, class_of_metric

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
LOOKALIKES = st.text(st.sampled_from("_x0041ABFx_/.\x00+"), max_size=30)
PLAIN = ("person", "traffic light", "a/b", "v1.5", "box_xl", "tv_xbox", "a_x1_b", "x:y", "...", "a..b/.c", "-")
ODD = ("", "红", "C+", "C#", "a/", "/a", "a//b", ".", "..", "a/../b", "./a", "_x002F_", "_x002F/", "_x000000_", " ", "\x00",
       "\n", "person\n", "e\u0301", "\N{PILE OF POO}", "Dog", "dog", "\u7ea2x0123456789ABCDEF_", "_x0123456789ABCDEF_")  # fmt: skip


@given(TEXT | LOOKALIKES)
@example("/" * 400)
@example("红" * 300)
@example("a" * 231 + "_x0041" + "b" * 60)
def test_mlflow_takes_the_metric_of_any_class(name: str) -> None:
    _validate_metric(f"best/{class_metric(name)}", 0.5, 0, 1)


@given(TEXT | LOOKALIKES)
def test_the_name_comes_back(name: str) -> None:
    assert class_of_metric(class_metric(name), [name]) == name
    if len(name) < 20:  # no escape is longer than ten characters
        assert class_of_metric(class_metric(name)) == name


@given(st.sets(TEXT | LOOKALIKES | st.sampled_from(ODD), max_size=20))
@example({*PLAIN, *ODD})
def test_no_two_classes_share_a_metric(names: set[str]) -> None:
    assert len({class_metric(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_names_keep_the_metrics_they_always_had(name: str) -> None:
    assert class_metric(name) == f"class_AP/{name}"


@pytest.mark.parametrize("name", ["红", "Größe", "кот", "犬２"])
def test_letters_of_any_script_stay_readable(name: str) -> None:
    assert class_metric(name) == f"class_AP/{name}"


def test_decomposed_letters_are_another_name() -> None:
    name = unicodedata.normalize("NFD", "é")
    assert class_metric(name) != class_metric("é")
    assert class_of_metric(class_metric(name)) == name


def test_long_names_are_told_apart_and_found_among_the_classes() -> None:
    names = [f"{'very ' * 60}{end}" for end in ("old", "new", "红")]
    metrics = [class_metric(name) for name in names]
    assert len(set(metrics)) == 3
    assert [class_of_metric(metric, names) for metric in metrics] == names
    shown = class_of_metric(metrics[0])  # without the classes
    assert shown.startswith("very very")
    assert "..." in shown
