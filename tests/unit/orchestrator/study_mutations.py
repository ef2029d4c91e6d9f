"""Studies with a piece of everything, and seeded ways to break them, as text and as data."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SHAPES = """\
name: demo
dataset: {kind: shapes, image_size: [64, 64], multi_scale: {kind: range, short: [32, 64]}}
teacher: {kind: random, detector: {config: own.py}}
student:
  config: own.py
method:
  kind: bckd
schedule: {lr: 1e-2, optimizer: {kind: adamw}, warmup: {iterations: 5}}
search:
  space:
    method.alpha2: [2.0, 4.0]
  seeds: [0, 1]
"""
COCO = """\
base: stillhouse::studies/quickstart.yaml
name: demo
dataset:
  kind: coco
  root: ${HOME}/coco
  classes: [a, b]
  train: {annotations: a.json, images: i}
teacher: {kind: checkpoint, path: own.pth, detector: {config: own.py}, coverage: 0.5}
method: {kind: pkd+bckd, levels: 3}
schedule: {policy: {kind: step, milestones: [2, 3]}, epochs: 4, clip_grad: 35}
search: {space: {"student": [{width: 0.5, weights: random}]}, baseline: false}
tracking: {uri: "sqlite:///x.db", tags: {a: b}}
"""
VOC = """\
base: [base.yaml]
dataset: {kind: voc, root: voc, val: [{folder: VOC2007, set: test}]}
teacher: {kind: train, detector: {config: own.py}, schedule: {epochs: 20}, seed: 3}
method: {kind: terms, terms: [{kind: bckd-cls, weight: 2}, {kind: crosskd-box}, {kind: pkd}], inherit: true}
search:
  algorithm: random
  samples: 3
  space:
    schedule.lr: {loguniform: [1e-4, 1e-1]}
    schedule.clip_grad: {uniform: [1, 4]}
    method.inherit: [true, false]
    schedule.policy: [{kind: cosine}, {kind: constant}]
  scheduler: {kind: asha, grace_epochs: 2}
scaling: {workers: 1, gpus_per_worker: 0.5}
"""
TEXTS = (SHAPES, COCO, VOC)

PIECES: tuple[str, ...] = (
    *"\t\n :-[]{},'\"#&*!|>%@`?\\\0\x85\u2028\u202eé\x1b\x7f",
    *("null", "true", "1e999", ".nan", "010", "-1", "0x", "1" * 200, "kind: none", "kind:", "base: study.yaml"),
    *("<<: *a", "&a ", "---\n", "...\n", "!!python/object:os.system ", "%YAML 1.1\n", "? ", "${HOME}", "${A_SECRET}"),
    *("mmdet::", "stillhouse::", "stillhouse::studies/quickstart.yaml", "[/red]", "../", "/", "x" * 300),
    *("{uniform: [0, 1]}", "algorithm: random\n  samples: 3", "[[1]]", "- ", '"\\ud800"', '"\\e[2J"', "{kind: ld}"),
)
KINDS = ("none", "bckd", "ld", "pkd", "pkd+bckd", "gid", "crosskd", "terms", "shapes", "coco", "voc", "zoo", "train",
         "checkpoint", "random", "sgd", "adamw", "step", "cosine", "constant", "fifo", "asha", "pkd", "bckd-loc", "range")  # fmt: skip
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 64, 1000, 2**31, 10**99, 0.0, 0.5, -0.5, 1e-320, 1.7e308, -1.7e308),
    *("", "x", "none", "auto", "x" * 300, "a\nb", "\x1b[2J", "\u202e", "../..", "/", "${HOME}", "${NO_SUCH}", "~/x"),
    *("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "mmdet::", "stillhouse::x", "[/b]", "official", "imagenet", "https://a:b@c"),
    *([], [None], [[]], [0], [0, 0], [3, 2, 1], ["a", "a"], {}, {"kind": None}, {"a": {"b": {"c": []}}}),
    *({"uniform": [0, 1]}, {"loguniform": [0, 1]}, {"uniform": [-1.7e308, 1.7e308]}, {"kind": "shapes", "kinds": 1}),
)
NAMES = ("kind", "base", "name", "seed", "lr", "alpha1", "config", "width", "terms", "train", "x", "", "a.b", "\x1b", "é",
         "method.alpha1", "schedule", "student.config", "method", "teacher.path", "epochs", "iterations", "weights")  # fmt: skip


def prepare(folder: Path) -> None:
    """Write the files that the studies name."""
    (folder / "own.py").touch()
    (folder / "own.pth").write_bytes(b"\x80")
    (folder / "base.yaml").write_text("name: demo\nstudent: {config: own.py}\n")


def mutated_text(chance: random.Random) -> str:
    """Return a study's text with one to three changes of characters and lines."""
    original = chance.choice(TEXTS)
    text = original
    for _ in range(chance.randrange(1, 4)):
        text = chance.choice(TEXT_WAYS)(text, chance) or original
    return text


def mutated_data(studies: tuple[dict[str, Any], ...], chance: random.Random) -> str:
    """Return a study, as JSON, which is YAML too, with one to four changes of its values and keys."""
    data = copy.deepcopy(chance.choice(studies))
    for _ in range(chance.randrange(1, 5)):
        holder, key = chance.choice(list(places(data)))
        chance.choice(DATA_WAYS)(holder, key, chance)
    return json.dumps(data, ensure_ascii=False)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (mapping or list, key) below ``data``."""
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from places(value)


def odd(chance: random.Random) -> Any:
    """Return a value that hardly any key takes."""
    return {"kind": chance.choice(KINDS)} if chance.random() < 0.2 else copy.deepcopy(chance.choice(ODD))


def _replace(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = odd(chance)


def _remove(holder: Any, key: Any, chance: random.Random) -> None:
    del holder[key]
    if not holder and isinstance(holder, dict):
        holder[chance.choice(NAMES)] = odd(chance)


def _add(holder: Any, key: Any, chance: random.Random) -> None:
    if isinstance(holder, dict):
        holder[chance.choice(NAMES)] = odd(chance)
    else:
        holder.append(odd(chance))


def _another_kind(holder: Any, key: Any, chance: random.Random) -> None:
    if isinstance(holder, dict):
        holder["kind"] = chance.choice(KINDS)


def _wrap(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = [holder[key]] if chance.random() < 0.5 else {chance.choice(NAMES): holder[key]}


def _delete(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    return text[:start] + text[start + chance.randrange(1, 8) :]


def _insert(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    return text[:start] + chance.choice(PIECES) + text[start:]


def _swap_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines)


def _replace_value(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    line = chance.randrange(len(lines))
    lines[line] = lines[line].partition(":")[0] + ": " + chance.choice(PIECES) + "\n"
    return "".join(lines)


TEXT_WAYS: tuple[Callable[[str, random.Random], str], ...] = (_delete, _insert, _swap_lines, _replace_value)
DATA_WAYS: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _replace,
    _replace,
    _remove,
    _add,
    _another_kind,
    _wrap,
)
