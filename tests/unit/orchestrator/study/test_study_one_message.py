"""One mistake in a study yields one message, at its line: nothing that only follows from it is told."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.unit.orchestrator.study_text import VALID, edit, findings_of, write

SPACE, DATA, SEEDS, LR = "method.alpha2: [2.0, 4.0]", "train_images: 8", "seeds: [0, 1]", "lr: 1e-2"
EPOCHS, METHOD, WEIGHT = "epochs: 12", "kind: bckd\n  alpha1: 1.0", "alpha1: 1.0"
SECTION = "  kind: shapes\n  train_images: 8\n"
COCO = "  kind: coco\n  root: .\n  train: {annotations: a.json, images: i}\n  val: {annotations: b.json, images: i}\n"
VOC = "  kind: voc\n  root: .\n"

SEARCHED = (
    *("[0.5, oops]", "[0.5, -1]", "[0.5, null]", "[0.5, [1]]", "[0.5, {a: 1}]", "[]", "oops", "null", "[0.5, 0.5]"),
    *("[.nan]", "[true]", "['1']", "{uniform: [2, 1]}", "{uniform: [1]}", "{uniform: [1, oops]}", "{uniform: [1, 1]}"),
    *("{loguniform: [0, 1]}", "{loguniform: [3, 1]}", "{unifrm: [0, 1]}", "{uniform: 3}", "{uniform: [null, 2]}"),
)
WRONG_DATA = (
    *(
        "classes: [circl]",
        "classes: [circle, squar]",
        "classes: [3]",
        "classes: [circle, circle]",
        "classes: [[circle]]",
    ),
    *("classes: []", "classes: circle", "image_size: [64, x]", "image_size: [x, 64]", "image_size: [64]"),
    *("image_size: [64, 64, 64]", "image_size: [0, 64]", "image_size: 64", "test_size: [x, 64]", "flip: [0.5]"),
    *("multi_scale: {kind: range, short: [64, 32]}", "multi_scale: {kind: range, short: [x, 64]}"),
    *("multi_scale: {kind: choice, short: []}", "multi_scale: {kind: choice, short: [x]}", "multi_scale: [32, 64]"),
    *(
        "multi_scale: {kind: rang, short: [32, 64]}",
        "batch_scales: {short: [64, 32]}",
        "batch_scales: {short: [33, 64]}",
    ),
    *("batch_scales: {short: [x, 64]}", "augmentation: mosiac", "mosaic: {affine_scale: [2, 1]}"),
)
WRONG_SEARCH = (
    *("[0, x]", "[x]", "[0, -1]", "[0, 0]", "[0, 1.5]", "[]", "3", "[[0]]", "[0, null]"),
    *("[0]\n  objectives: [app]", "[0]\n  objectives: []", "[0]\n  scheduler: asha", "[0]\n  cohort: x"),
    *("[0]\n  scheduler: {kind: asha, grace_epochs: x}", "[0]\n  population: {factors: [1, 2, 3]}"),
    "[0]\n  stop_when: {metrc: ap, at_least: 0.3}",
    *("[0]\n  constraints: {parameters: 0}", "[0]\n  constraints: {params: 5}", "[0]\n  constraints: {macs: x}"),
)
WRONG_SCHEDULE = (
    *("[9, 8]", "[8, x]", "[x, 8]", "[x]", "[8, 8]", "8", "[0, 8]", "[8, null]", "[[8]]"),
    *("[8], gamma: 2", "[8], begin: 3"),
)
WRONG_METHODS = (
    *("[]", "[pkd]", "[{kind: pkd}, {kind: pk}]", "[{kind: pkd, levels: 0}]", "[{weight: 2}]", "[{kind: pkd}, null]"),
    *("[{kind: pkd, weight: x}]", "{kind: pkd}", "[{kind: pkd, weihgt: 2}]"),
)
WRONG_FILES = (
    *(
        COCO + line
        for line in (
            "classes: {0: a, 1: b}",
            "images_digest: abc",
            "images_digest: 3",
            "classes: [a, a]",
            "classes: [3]",
            "classes: [[a]]",
            "classes: coco",
            "train_images: 3",
        )
    ),
    *(
        COCO.replace("annotations: a.json", name)
        for name in ("annotation: a.json", "annotations: /a", "annotations: 3")
    ),
    *(VOC + f"  train: {value}" for value in ("[]", "[{set: a}]", "[{folder: a, set: b/c}]", "[{folder: a, set: 3}]")),
    *(
        VOC + f"  val: {value}"
        for value in ("{folder: a, set: b}", "[{folder: ../a, set: b}]", "[{folder: a, sett: b}]")
    ),
)


def mistakes() -> Iterator[tuple[str, str]]:
    """Yield pieces of the correct study, each with what is to stand in its place and is wrong in one way."""
    yield from ((SPACE, f"method.alpha1: {value}") for value in SEARCHED)
    yield from ((DATA, line) for line in WRONG_DATA)
    yield from ((SEEDS, f"seeds: {value}") for value in WRONG_SEARCH)
    yield from ((LR, f"policy: {{kind: step, milestones: {value}}}") for value in WRONG_SCHEDULE)
    yield from ((METHOD, f"kind: terms\n  terms: {value}") for value in WRONG_METHODS)
    yield from ((SECTION, f"{text}\n") for text in _indented(WRONG_FILES))


def _indented(texts: Iterable[str]) -> Iterator[str]:
    """Indent the last line where a piece was added without."""
    for text in texts:
        *before, last = text.rstrip("\n").split("\n")
        yield "\n".join([*before, last if last.startswith("  ") else f"  {last}"])


@pytest.mark.parametrize(("old", "new"), mistakes())
def test_one_mistake_is_told_once_at_its_line(old: str, new: str, tmp_path: Path) -> None:
    found = findings_of(write(tmp_path, edit(old, new)))
    assert len(found) == 1, found
    level, where, _ = found[0]
    first = VALID[: VALID.index(old)].count("\n") + 1
    assert level == "error"
    assert first <= int(where.split(":")[1]) <= first + new.rstrip("\n").count("\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("classes: {0: a, 1: b}", "got a mapping of numbers: write its values as a list, in this order"),
        ("images_digest: abc", "must be a digest as `stillhouse plan` shows it, img- and 12 of 0-9 and a-f, got 'abc'"),
    ],
)
def test_a_wrong_value_of_a_dataset_is_told_with_what_to_write(line: str, says: str, tmp_path: Path) -> None:
    [(_, _, message)] = findings_of(write(tmp_path, edit(SECTION, f"{COCO}  {line}\n")))
    assert message.endswith(says)


WIDE = (
    VALID.replace("width: 0.5, ", "width: WIDTH, ")
    .replace("  weights: random\nmethod", "  width: 0.25\n  weights: random\nmethod")
    .replace("method.alpha2: [2.0, 4.0]", "method: [{kind: crosskd}, {kind: crosskd, convs: 2}]")
)


@pytest.mark.parametrize("width", ["wide", "-1", "[0.25]", "null"])
def test_a_wrong_width_is_not_compared_with_the_students(width: str, tmp_path: Path) -> None:
    """The default stood in for a wrong width, and each method was said not to fit it."""
    assert findings_of(write(tmp_path, WIDE.replace("WIDTH", "0.25"))) == []
    assert (
        len(findings_of(write(tmp_path, WIDE.replace("WIDTH", "0.5")))) == 2
    )  # what is right, and does not fit, is told
    assert [where for _, where, _ in findings_of(write(tmp_path, WIDE.replace("WIDTH", width)))] == [
        "study.yaml:7: teacher.detector.width"
    ]


def test_a_wrong_value_does_not_make_the_space_empty(tmp_path: Path) -> None:
    text = edit(SPACE, "method.alpha1: {uniform: [2, 1]}").replace(
        SEEDS, "seeds: [0]\n  algorithm: random\n  samples: 3"
    )
    assert findings_of(write(tmp_path, text)) == [
        ("error", "study.yaml:20: search.space.method.alpha1", "low must be below high, got [2.0, 1.0]")
    ]


def test_values_drawn_beyond_a_wrong_end_are_not_told_too(tmp_path: Path) -> None:
    text = edit(SPACE, "schedule.lr: {loguniform: [0.1, 1e6]}")
    text = text.replace(SEEDS, "seeds: [0]\n  algorithm: random\n  samples: 30")
    assert [where for _, where, _ in findings_of(write(tmp_path, text))] == [
        "study.yaml:20: search.space.schedule.lr.loguniform[1]"
    ]


def test_a_teacher_that_is_missing_is_missing_once(tmp_path: Path) -> None:
    start, end = VALID.index("teacher:"), VALID.index("student:")
    text = (VALID[:start] + VALID[end:]).replace("method.alpha2: [2.0, 4.0]", "method.kind: [bckd, ld, none]")
    assert [message for _, _, message in findings_of(write(tmp_path, text.replace("  alpha1: 1.0\n", "")))] == [
        "bckd and ld need a teacher: add a section teacher"
    ]


def test_an_unknown_method_leaves_open_whether_the_teacher_is_used(tmp_path: Path) -> None:
    text = edit(SPACE, "method.kind: [none, bckdd]").replace("  kind: bckd\n  alpha1: 1.0\n", "  kind: none\n")
    assert [level for level, _, _ in findings_of(write(tmp_path, text))] == ["error"]
