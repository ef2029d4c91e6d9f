"""Make hostile JSON, YAML and XML files: annotations, studies, class names and configs."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.contract.hostile.bounded import Case
from tests.contract.hostile.mutation import damaged

ROOT = Path(__file__).parents[3]
NUMBERS = (
    "0",
    "-1",
    "1e400",
    "-1e308",
    "NaN",
    "Infinity",
    "9" * 5000,
    "1" + "0" * 400,
    "1e-400",
    "2147483648",
    "0.1" * 9,
)
TEXTS = ('""', '"\\ud800"', '"\\u0000"', '"../../etc/passwd"', '"/dev/zero"', '"\\u202e"', json.dumps("x" * 100_000))
OTHERS = ("null", "true", "[]", "{}", "[[[]]]", '{"id": 1}', "[" * 3000 + "]" * 3000, '{"a":' * 2000 + "1" + "}" * 2000)
FOLDERS = "/a" * 50
Make = Callable[[random.Random], str | bytes]


def json_cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield annotation files in COCO's format that are wrong in a value, in their syntax, or in their bytes."""
    fixed: dict[str, Make] = {
        "whole": lambda _: _coco(random.Random(0), []),
        "deep lists": lambda _: "[" * 200_000,
        "deep objects": lambda _: '{"a":' * 100_000,
        "deep and closed": lambda _: '{"images":' + "[" * 100_000 + "]" * 100_000 + "}",
        "many empty lists": lambda _: '{"images": [' + "[]," * 200_000 + "[]]}",
        "many empty objects": lambda _: '{"annotations": [' + "{}," * 200_000 + "{}]}",
        "one long number": lambda _: '{"images": [' + "9" * 1_000_000 + "]}",
        "one long text": lambda _: '{"images": ["' + "\\u00e9" * 200_000 + '"]}',
        "many keys": lambda _: "{" + ",".join(f'"{n}":0' for n in range(300_000)) + "}",
        "one key often": lambda _: "{" + '"id":1,' * 100_000 + '"id":2}',
        "one id often": lambda _: _coco(random.Random(1), ['{"id":1,"file_name":"a.png","width":9,"height":9}'] * 20_000),
        "keys that collide": lambda _: _coco(
            random.Random(1), [f'{{"id":{n * (2**61 - 1)},"file_name":"{n}.png","width":9,"height":9}}' for n in range(20_000)]
        ),
        "names in many folders": lambda _: _coco(
            random.Random(1), [f'{{"id":{n},"file_name":"{n}{FOLDERS}/b.png","width":9,"height":9}}' for n in range(2000)]
        ),
    }  # fmt: skip
    yield from _mixed(count, seed, fixed, _hostile_json, ".json")


def _hostile_json(chance: random.Random) -> str | bytes:
    text = _coco(chance, [])
    if chance.random() < 0.7:
        return text
    return damaged(text.encode(), chance)


def _coco(chance: random.Random, images: Sequence[str]) -> str:
    """Return a file of which some values are of the wrong kind; ``images`` replace its own."""

    def value(usual: str) -> str:
        return usual if chance.random() < 0.97 else chance.choice((*NUMBERS, *TEXTS, *OTHERS))

    own = [
        f'{{"id": {value(str(n))}, "file_name": {value(json.dumps(f"{n}.png"))}, "width": {value("64")}, "height": {value("48")}}}'
        for n in range(3)
    ]
    boxes = []
    for number in range(4):
        box = ", ".join(value(one) for one in "1298")
        boxes.append(
            f'{{"id": {value(str(number))}, "image_id": {value(str(number % 3))}, "category_id": {value("1")}, '
            f'"iscrowd": {value("0")}, "area": {value("9")}, "bbox": {value("[" + box + "]")}}}'
        )
    names = [
        f'{{"id": {value(str(n))}, "name": {value(json.dumps(name))}}}' for n, name in enumerate(("cat", "dog"), 1)
    ]
    listed = {"images": list(images) or own, "annotations": boxes, "categories": names}
    return "{" + ", ".join(f'"{key}": {value("[" + ", ".join(items) + "]")}' for key, items in listed.items()) + "}"


# ---------------------------------------------------------------------------------------------------------------- YAML

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(f'*{old}' for _ in range(9))}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
SCALARS = (
    "1e999999999", "0x" + "f" * 500, "9" * 5000, "!!python/object/apply:os.system [touch CANARY]", "!!binary aGk=", "~",
    "&a [*a]", "*nowhere", "'" + "x" * 90_000 + "'", "2024-99-99", ".nan", "'\\0'", '"\\UFFFFFFFF"', "!!set {a, b}",
    "[" * 500, "{a: " * 300, "? [a]\n: b", "<<: {name: x}", "/dev/zero", "${HOME}", "%YAML 9.9", "...\n---\nname: x",
    "!!python/name:os.system", "!!timestamp '2001-12-14t21:59:43.10-05:00'", "!!int 1:2:3:4:5:6", "1:" * 3000 + "1",
)  # fmt: skip


def yaml_cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield studies, and the YAML and JSON files that a study names (class names, configs)."""
    studies = [path.read_text() for path in sorted((ROOT / "configs" / "studies").glob("*.yaml"))]
    names = "path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n"
    config = "model:\n  type: GFL\n  backbone: {type: ResNet, depth: 50}\n_base_: []\n"
    laughs: dict[str, Make] = {
        "many laughs": lambda _: LAUGHS,
        "merged laughs": lambda _: LAUGHS.replace("[", "{<<: [").replace("]", "]}"),
        "quadratic": lambda _: "a: &a [" + "x," * 2000 + "]\nb: [" + "*a," * 2000 + "]\n",
        "itself": lambda _: "&a\nnames: *a\n",
        "deep": lambda _: "names: " + "[" * 20_000,
        "deep block": lambda _: "".join(" " * n + "a:\n" for n in range(900)),
        "long key": lambda _: "? " + "x" * 200_000 + "\n: 1\n",
        "many keys": lambda _: "names:\n" + "".join(f"  {n}: x\n" for n in range(20_000)),
        "open quotes": lambda _: 'names: "' + "a\n" * 20_000,
        "anchors": lambda _: "names:\n" + "".join(f"- &a{n} x\n" for n in range(5000)),
        "spaces": lambda _: "names:" + " " * 99_000 + "x",
        "question marks": lambda _: "? " * 4000 + "a",
        "dashes": lambda _: "- " * 4000 + "a",
        "flow": lambda _: "names: {" + "a: {" * 1000 + "}" * 1000 + "}",
        "numbers": lambda _: "names: {" + ", ".join(f"{n * (2**61 - 1)}: x" for n in range(4000)) + "}",
    }
    files: dict[str, Make] = {
        f"{name} as {suffix}": make
        for name, make in laughs.items()
        for suffix in (".yaml", ".names.yaml", ".config.yaml")
    }
    chance, left = random.Random(seed), count
    for name, make in list(files.items())[:count]:
        yield Case(name, _bytes(make(chance)), name.rpartition(" ")[2])
        left -= 1
    for number in range(left):
        suffix = chance.choice((".yaml", ".yaml", ".names.yaml", ".config.yaml", ".json"))
        source = {".yaml": chance.choice(studies), ".names.yaml": names, ".config.yaml": config}.get(suffix)
        content = _hostile_json(chance) if source is None else _hostile_yaml(source, chance, canary)
        yield Case(f"{suffix} {number}", _bytes(content), suffix)


def _hostile_yaml(text: str, chance: random.Random, canary: Path) -> str | bytes:
    if chance.random() < 0.4:
        return damaged(text.encode(), chance)
    lines = text.splitlines()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        key = lines[at].partition(":")[0] if ":" in lines[at] else "- x"
        lines[at] = f"{key}: {chance.choice(SCALARS).replace('CANARY', str(canary))}"
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------------------------------- XML

WHOLE = (
    "<annotation><filename>a.jpg</filename><size><width>64</width><height>48</height><depth>3</depth></size>"
    "<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    "</object></annotation>"
)
ENTITIES = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {new} '" + f"&{old};" * 10 + "'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CONTENTS = (
    "&i;", "&#0;", "&#x10FFFF;", "&" + "a" * 9999 + ";", "<![CDATA[" + "x" * 9999 + "]]>", "<?php system('touch CANARY')?>",
    "9" * 5000, "1e400", "nan", "-1", "<a>" * 3000, "<a/>" * 3000, "<!--" + "-" * 999, "\u202e", "../../../etc/passwd", "/dev/zero",
    "<a " + " ".join(f"b{n}='x'" for n in range(2000)) + "/>", "<xi:include href='file:///etc/passwd'/>", "\x00", "]]>",
)  # fmt: skip
ENCODINGS = ("utf-8", "utf-16", "utf-32", "utf-7", "latin-1", "cp037")


def xml_cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield annotation files in Pascal VOC's format with entities, depth, strange encodings and damage."""
    fixed: dict[str, Make] = {
        "laughs": lambda _: ENTITIES + "]>" + WHOLE.replace("cat", "&i;"),
        "quadratic": lambda _: (
            "<!DOCTYPE a [<!ENTITY a '" + "a" * 100_000 + "'>]>" + WHOLE.replace("cat", "&a;" * 10_000)
        ),
        "external": lambda _: "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + WHOLE.replace("cat", "&e;"),
        "parameters": lambda _: "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x'>%p;]>" + WHOLE,
        "external as utf-16": lambda _: ("<!DOCTYPE a [<!ENTITY a 'a'>]>" + WHOLE).encode("utf-16"),
        "deep": lambda _: "<annotation>" + "<a>" * 300_000,
        "deep and closed": lambda _: "<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>",
        "wide": lambda _: "<annotation>" + "<object/>" * 200_000 + "</annotation>",
        "many attributes": lambda _: "<annotation " + " ".join(f"a{n}=''" for n in range(50_000)) + "/>",
        "one long name": lambda _: f"<{'a' * 500_000}/>",
        "one open tag": lambda _: "<annotation " + "a" * 1_000_000,
        "long comment": lambda _: "<!--" + "x" * 1_000_000,
        "many objects": lambda _: WHOLE.replace("</object>", "</object>" + "<object><name>cat</name></object>" * 5000),
        "declared otherwise": lambda _: "<?xml version='1.0' encoding='utf-16'?>" + WHOLE,
    }
    yield from _mixed(count, seed, fixed, lambda chance: _hostile_xml(chance, canary), ".xml")


def _hostile_xml(chance: random.Random, canary: Path) -> bytes:
    text = WHOLE
    for _ in range(chance.randint(0, 2)):
        found = chance.choice(("a.jpg", ">64<", ">48<", "cat", ">1<", ">9<", ">0<"))
        text = text.replace(found, f">{chance.choice(CONTENTS)}<".replace("CANARY", str(canary)), 1)
    encoding = chance.choice((*ENCODINGS, *["utf-8"] * 10))
    if chance.random() < 0.3:
        text = f"<?xml version='1.0' encoding='{chance.choice(ENCODINGS)}'?>{text}"
    content = text.encode(encoding, "replace")
    return damaged(content, chance) if chance.random() < 0.5 else content


def _mixed(count: int, seed: int, fixed: dict[str, Make], make: Make, suffix: str) -> Iterator[Case]:
    """Yield the fixed cases, then random ones."""
    chance = random.Random(seed)
    for name, one in list(fixed.items())[:count]:
        yield Case(name, _bytes(one(chance)), suffix)
    for number in range(count - min(count, len(fixed))):
        yield Case(f"{suffix} {number}", _bytes(make(chance)), suffix)


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
