"""Words of other tools lead to the key of a study, in messages that can be followed to the letter."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from orchestrator.study.fields import known_keys
from orchestrator.study.foreign_words import KINDS, NOTES, OF_KIND, TRANSLATIONS, kind_meant, normal, translation
from orchestrator.study.schema import StudySpec
from tests.unit.orchestrator.study_text import VALID, edit, findings_of, write

WORDS = [(word, known) for known, words in TRANSLATIONS.items() for word in words.split()]
TOP = "name: demo\n"
SHAPES, COCO = "  kind: shapes\n  train_images: 8\n", "  kind: coco\n  root: coco\n"


def error(folder: Path, text: str) -> tuple[str, str]:
    """Return where the first error is, and its message."""
    found = [(where, message) for level, where, message in findings_of(write(folder, text)) if level == "error"]
    return found[0]


@pytest.mark.parametrize(("word", "known"), WORDS, ids=[word for word, _ in WORDS])
def test_a_word_at_the_top_is_answered_with_its_key_and_a_value(tmp_path, word, known):
    if word in StudySpec.model_fields:
        pytest.skip(f"{word} is a key of a study itself")
    where, message = error(tmp_path, VALID.replace(TOP, f"{TOP}{word}: {known.example}\n"))
    assert where == f"study.yaml:2: {word}"
    assert message == f"unknown key (did you mean {known.key}? write {known.yaml(None)})"


@pytest.mark.parametrize("known", TRANSLATIONS, ids=lambda known: known.key)
def test_the_advice_is_a_line_of_yaml_that_a_study_takes(tmp_path, known):
    if known.key == "base":
        return
    line = YAML(typ="safe", pure=True).load(known.yaml(None))
    assert len(line) == 1
    assert known.key in known_keys(StudySpec)
    said = [
        message for level, where, message in findings_of(write(tmp_path, f"base: valid.yaml\n{known.yaml(None)}\n"))
    ]
    assert "no such file: valid.yaml" in said  # the file is read, and nothing of the line is a mistake of YAML
    dataset = COCO if known.key.startswith("dataset.") else SHAPES
    (tmp_path / "valid.yaml").write_text(edit(SHAPES, dataset))
    mistakes = [
        (where, message)
        for level, where, message in findings_of(tmp_path / "study.yaml")
        if level == "error" and ("unknown key" in message or "expected" in message or "must be" in message)
    ]
    assert [found for found in mistakes if "of kind" not in found[1]] == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("learning_rate: 0.02", "(did you mean schedule.lr? write schedule: {lr: 0.02})"),
        ("imgsz: 320", "(did you mean dataset.image_size? write dataset: {image_size: [320, 320]})"),
        ("split: 0.3", "(did you mean dataset.split? write dataset: {split: {val: 0.3, seed: 0}})"),
        ("seed: 7", "(did you mean search.seeds? write search: {seeds: [7]})"),
        ("num_classes: 3", "(did you mean dataset.classes? write dataset: {classes: [cat, dog]})"),
        ("amp: true", "(did you mean schedule.precision? write schedule: {precision: bf16})"),
        ("imgSize: 320", "dataset.image_size"),
        ("names: [a, b]", "dataset.classes"),
        ("names: demo", "(did you mean name?)"),
        ("output_dir: x", "(results go to the folder that --store or STILLHOUSE_STORE names)"),
    ],
)
def test_numbers_are_kept_and_shapes_tell_words_apart(tmp_path, given, says):
    _, message = error(tmp_path, VALID.replace(TOP, f"{TOP}{given}\n"))
    assert says in message


@pytest.mark.parametrize(
    ("old", "new", "where", "says"),
    [
        ("epochs: 12", "max_epochs: 12", "15: schedule.max_epochs", "(did you mean epochs? write epochs: 12)"),
        ("epochs: 12", "optimizer: adam", "15: schedule.optimizer", "got text 'adam': write {kind: adamw}"),
        ("epochs: 12", "optimizer: SGD", "15: schedule.optimizer", "got text 'SGD': write {kind: sgd}"),
        ("epochs: 12", "optimizer: {kind: Adam}", "15: schedule.optimizer.kind", "did you mean adamw?"),
        ("epochs: 12", "policy: {kind: MultiStepLR}", "15: schedule.policy.kind", "did you mean step?"),
        ("epochs: 12", "momentum: 0.8", "15: schedule.momentum", "write optimizer: {momentum: 0.8}"),
        (
            "epochs: 12",
            "epochs: '12'",
            "15: schedule.epochs",
            "expected a whole number, got text '12': write 12 without",
        ),
        ("seeds: [0, 1]", "seeds: 3", "21: search.seeds", "expected a list, got 3: write [3]"),
        ("train_images: 8", "image_size: 64", "4: dataset.image_size", "expected a list, got 64: write [64, 64]"),
        ("train_images: 8", "imgsz: 64", "4: dataset.imgsz", "(did you mean image_size? write image_size: [64, 64])"),
        ("kind: shapes", "kind: CocoDataset", "3: dataset.kind", "did you mean coco?"),
        ("kind: train\n", "kind: train\n  lr: 1\n", "7: teacher.lr", "did you mean schedule.lr?"),
        ("kind: train\n", "kind: train\n  ckpt: x\n", "7: teacher.ckpt", "kind: checkpoint, path: teacher.pth"),
    ],
)
def test_words_and_values_within_sections(tmp_path, old, new, where, says):
    place, message = error(tmp_path, edit(old, new))
    assert place == f"study.yaml:{where}"
    assert says in message


@pytest.mark.parametrize("key", ["learning_rate", "schedule.learning_rate", "lr0"])
def test_words_of_searched_keys(tmp_path, key):
    place, message = error(tmp_path, edit("method.alpha2: [2.0, 4.0]", f"{key}: [0.1, 0.2]"))
    assert (place, message) == (
        f"study.yaml:20: search.space.{key}",
        "unknown key to search (did you mean schedule.lr?)",
    )


def test_a_whole_section_as_text(tmp_path):
    place, message = error(tmp_path, "name: x\ndataset: coco\nstudent: own.py\nmethod: bckd\n")
    assert (place, message) == ("study.yaml:2: dataset", "expected a mapping, got text 'coco': write {kind: coco}")
    said = [message for _, _, message in findings_of(tmp_path / "study.yaml")]
    assert "expected a mapping, got text 'own.py': write {config: own.py}" in said
    assert "expected a mapping, got text 'bckd': write {kind: bckd}" in said


def test_no_word_is_translated_twice():
    words = [normal(word) for word, _ in WORDS] + [normal(word) for word in NOTES]
    assert len(words) == len(set(words))
    assert [word for word in NOTES if translation(word)] == []


def test_foreign_kinds_lead_to_kinds_that_exist():
    kinds = {part for known in known_keys(StudySpec) if known.endswith("kind") for part in kinds_of(known)}
    assert {kind for kind in KINDS.values() if kind not in kinds} == set()
    assert kind_meant("CosineAnnealingLR", ("step", "cosine")) == "cosine"
    assert kind_meant("adam", ("step", "cosine")) is None


def kinds_of(key: str) -> list[str]:
    """Return the kinds of the section that holds a dotted key ``...kind``."""
    from orchestrator.study.fields import is_section, types_at
    from trainers.schema.base import kind_of

    found = types_at(StudySpec, tuple(key.split(".")[:-1]), None)
    return [kind_of(item) or "" for item in found if is_section(item)]


VOC, YOLO = "  kind: voc\n  root: .\n", "  kind: yolo\n  root: .\n  classes: [a]\n"


@pytest.mark.parametrize(
    ("dataset", "wrong", "says"),
    [
        (VOC, "train: images/train", "got text 'images/train': write [{folder: VOC2007, set: train}]"),
        (VOC, "val: null", "got nothing (null): write [{folder: VOC2007, set: val}]"),
        (VOC, "train: {folder: VOC2007, set: x}", "got a mapping: write [{folder: VOC2007, set: x}]"),
        (VOC, "train: {images: photos}", "got a mapping: write [{folder: VOC2007, set: train}]"),
        (VOC, "train: [photos]", "got text 'photos': write {folder: photos}"),
        (VOC, "ann_file: a.xml", "(did you mean train? write train: [{folder: VOC2007, set: train}])"),
        (YOLO, "train: photos", "got text 'photos': write {images: photos}"),
        (YOLO, "train: [photos]", "got text 'photos': write {images: photos}"),
        (YOLO, "val: null", "got nothing (null): write {images: images/val}"),
        (YOLO, "train: {annotations: a.json, images: i}", "unknown key of kind yolo; kind coco or voc has it"),
        (YOLO, "train: [{folder: a, images: i}]", "unknown key of kind yolo; kind voc has it"),
        (COCO, "train: photos", "got text 'photos': write {annotations: train.json, images: train}"),
    ],
)
def test_a_split_is_answered_with_the_form_of_its_format(tmp_path, dataset, wrong, says):
    _, message = error(tmp_path, VALID.replace(SHAPES, f"{dataset}  {wrong}\n"))
    assert message.endswith(says)


@pytest.mark.parametrize("dataset", [VOC, YOLO], ids=["voc", "yolo"])
def test_a_split_at_the_top_is_answered_with_the_form_of_the_studys_format(tmp_path, dataset):
    _, message = error(tmp_path, VALID.replace(SHAPES, dataset).replace(TOP, f"{TOP}trainset: photos\n"))
    assert ".json" not in message


@pytest.mark.parametrize(("key", "kind"), OF_KIND, ids=" ".join)
def test_the_form_of_a_format_is_one_that_a_study_takes(tmp_path, key, kind):
    dataset = f"{VOC if kind == 'voc' else YOLO}  {key.removeprefix('dataset.')}: {OF_KIND[key, kind]}\n"
    found = findings_of(write(tmp_path, VALID.replace(SHAPES, dataset)))
    assert "error" not in {level for level, _, _ in found}, found


def test_one_item_of_a_list_is_answered_with_the_list(tmp_path):
    text = VALID.replace("  kind: bckd\n  alpha1: 1.0\n", "  kind: terms\n  terms: {kind: pkd, levels: 3}\n")
    _, message = error(tmp_path, text.replace("method.alpha2: [2.0, 4.0]", "schedule.lr: [0.1, 0.2]"))
    assert message == "expected a list, got a mapping: write [{kind: pkd, levels: 3}]"
