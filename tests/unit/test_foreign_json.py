"""JSON is read by one function, which has limits: no other parser of JSON is called in our packages."""

import ast

import pytest

from tests.unit.own_modules import ROOT, modules

PARSERS = {"json.loads", "json.load", "json.JSONDecoder", "orjson.loads", "pydantic_core.from_json"}
OWN_LIMITS = {  # module: why it has a parser of its own
    "trainers/schema/foreign_json.py": "is the one",
    "trainers/schema/annotations/json_file.py": "refuses repeated keys, and has limits of its own",
    "trainers/onnx_export/reader.py": "is copied beside a model and imports nothing of ours",
    "trainers/schema/annotations/pieces.py": "reads annotations block by block, each below the limits of a block",
    "trainers/data/samples.py": "reads values that it wrote itself, one by one, 100,000 times in an epoch",
    "orchestrator/plan/images.py": "reads annotations, which check has read before",
    "orchestrator/plan/part_of_data.py": "reads annotations of the paper's data sets, of any size",
}


def parsers(text: str) -> list[int]:
    """Return the lines of a module that parse JSON by another function."""
    return [
        node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt | ast.expr) and _parses(node)
    ]


def _parses(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(f"{node.module}.{alias.name}" in PARSERS for alias in node.names)
    if isinstance(node, ast.Attribute) and ast.unparse(node) in PARSERS:
        return True
    return isinstance(node, ast.Call) and ast.unparse(node).endswith(".json()")  # of an HTTP response


def test_json_is_parsed_in_one_place():
    found = {name: lines for name in modules() if (lines := parsers((ROOT / name).read_text()))}
    assert {name: lines for name, lines in found.items() if name not in OWN_LIMITS} == {}
    assert set(found) == set(OWN_LIMITS), "a module that parses no more needs no exception"


@pytest.mark.parametrize(
    "text", ["import json\njson.loads(x)", "from json import loads", "answer.json()", "read = json.load", "pydantic_core.from_json(x)"]
)  # fmt: skip
def test_the_rule_sees(text):
    assert parsers(text)


def test_the_rule_lets_pass():
    assert parsers("import json\njson.dumps(x)\nmodel.json(indent=1)\nparse_json(x)") == []
