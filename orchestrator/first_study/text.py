"""Write a study as commented YAML."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.first_study.choices import Choices, Chosen
from orchestrator.first_study.contents import Contents
from orchestrator.first_study.found import Found

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # that YAML reads as something else
WIDTH = 44  # columns before a comment
CONFIG = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"


def study_text(name: str, root: str, found: Found, contents: Contents, choices: Choices) -> str:
    """Return the study's text."""
    return (
        "\n".join([*_head(name), *_dataset(root, found, contents, choices), *_detectors(choices), *_rest(choices)])
        + "\n"
    )


def _head(name: str) -> Iterator[str]:
    yield from (
        "# Written by `stillhouse init`. Every line may be changed: docs/studies.md lists all keys.",
        f"name: {scalar(name)}",
        "",
    )


def _dataset(root: str, found: Found, contents: Contents, choices: Choices) -> Iterator[str]:
    yield f"# {found.what}. Files are read where they lie; nothing is copied."
    yield from (f"# {remark}" for remark in found.remarks)
    yield "dataset:"
    yield f"  kind: {found.kind}"
    yield f"  root: {scalar(root)}"
    yield from _classes(contents)
    for key, value in found.section.items():
        yield f"  {key}: {flow(value)}"
    if found.is_divided:
        yield "  # Add group: folder to it, or group: {before: _frame}, where frames of one video must stay in one split."
        yield line("  split: {val: 0.2, seed: 0}", "a fifth of the images measures AP; every class in equal parts")
    yield line(f"  image_size: {flow(choices.image_size.value)}", choices.image_size.reason)
    if contents.most > 100:
        yield line(f"  max_detections: {contents.most}", "the most objects of an image")
    yield ""


def _classes(contents: Contents) -> Iterator[str]:
    yield "  classes:"
    for name in contents.names:
        counts = ", ".join(f"{boxes[name]} in {split}" for split, boxes in contents.boxes.items())
        yield line(f"    - {scalar(name)}", f"boxes: {counts}")


def _detectors(choices: Choices) -> Iterator[str]:
    yield from _teacher(choices)
    yield ""
    yield "student:"
    yield from _detector(choices, "  ", depth=18, width=0.25)
    yield ""


def _teacher(choices: Choices) -> Iterator[str]:
    yield "# Trained first, once: students of later studies on the same data find it again."
    yield "teacher:"
    yield "  kind: train"
    yield "  detector:"
    yield from _detector(choices, "    ", depth=101 if choices.on_gpu else 18, width=0.5)
    yield "  schedule:"
    yield from _schedule(choices, choices.teacher_epochs, "    ")


def _detector(choices: Choices, indent: str, *, depth: int, width: float) -> Iterator[str]:
    yield f"{indent}config: {CONFIG}"
    if choices.on_gpu:
        if depth != 50:
            yield f"{indent}backbone_depth: {depth}"
        yield line(f"{indent}weights: imagenet", "or a detector's: docs/finetune.md")
        return
    yield f"{indent}backbone_depth: {depth}"
    yield line(f"{indent}width: {width}", "this share of the channels: no GPU was found")
    yield line(f"{indent}weights: random", "ImageNet weights exist for width 1.0 only")


def _rest(choices: Choices) -> Iterator[str]:
    yield line("method: {kind: bckd}", "`stillhouse methods` lists the others")
    yield ""
    yield "schedule:"
    yield from _schedule(choices, choices.epochs, "  ")
    yield ""
    yield "search:"
    yield line("  seeds: [0]", "one seed shows that it runs; a claim needs [0, 1, 2]")
    yield line("  baseline: true", "the same student trained alone, to compare with")
    yield "  cohort: auto"


def _schedule(choices: Choices, epochs: Chosen, indent: str) -> Iterator[str]:
    yield line(f"{indent}epochs: {epochs.value}", epochs.reason)
    yield line(f"{indent}batch_size: {choices.batch.value}", choices.batch.reason)
    if choices.on_gpu:
        yield line(f"{indent}lr: 0.005", "mmdet's 0.01 for 16 images a step, scaled")
    else:
        yield f"{indent}lr: 0.0015"
        yield line(f"{indent}optimizer: {{kind: adamw}}", "learns from random weights in few steps")
        yield f"{indent}warmup: {{iterations: 20}}"
    yield f"{indent}policy: {{kind: cosine}}"


def line(text: str, comment: str) -> str:
    """Return a line with its comment."""
    return f"{text:<{WIDTH}}  # {comment}"


def flow(value: object) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        return scalar(value)
    return f"[{', '.join(map(flow, value))}]" if isinstance(value, Iterable) else json.dumps(value)


def scalar(text: str) -> str:
    """Return a text as YAML reads it back: plain where it cannot be taken for anything else, else in quotes."""
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
