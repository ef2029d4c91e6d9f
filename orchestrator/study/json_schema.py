"""Describe studies as a JSON schema, with which editors complete keys and underline mistakes.

The schema is made of the sections that the loader validates with. It is written in draft 7, which the language servers of
editors know. A study with ``base`` may leave out required keys, since a base may have them, so the schema of a section has
two parts: its shape, and the keys that it requires. It knows no rules between keys: the loader reports more than it does.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.study.algorithms import algorithms
from orchestrator.study.inherit import BASE
from orchestrator.study.ranges import RANGES
from orchestrator.study.schema import StudySpec
from orchestrator.study.substitute import searchable_keys
from trainers.schema.foreign_json import parse_json
from trainers.schema.zoo import configs_dir

DRAFT = "http://json-schema.org/draft-07/schema#"
PREFIX = "#/definitions/"
REQUIRED = ".required"  # ends the name of the part of a section that requires keys
ABOUT_BASE = "file, or list of files, that this study builds on: their keys hold where this file does not give its own"
Node = dict[str, Any]
Describe = Callable[[str, str], str | None]


def shipped_schema() -> Path:
    """Return the file with the schema of the built-in sections, whose descriptions are those of docs/studies.md."""
    return configs_dir() / "schema" / "study.json"


def installed_schema() -> Node:
    """Return the schema of this installation: the shipped one, and the sections of installed packages."""
    shipped = parse_json(shipped_schema().read_text(encoding="utf-8"))["definitions"]
    return study_schema(lambda name, key: _sentence(shipped.get(name, {}).get("properties", {}).get(key, {})))


def schema_text(schema: Node) -> str:
    """Return a schema as a file holds it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def study_schema(describe: Describe) -> Node:
    """Return the schema; ``describe`` gives the sentence about a key, by the names of its section's class and the key."""
    raw = StudySpec.model_json_schema(ref_template=PREFIX + "{model}")
    sections = {name: node for name, node in raw.pop("$defs").items() if node.get("type") == "object"}
    maker = _SchemaMaker({**sections, StudySpec.__name__: raw}, describe)
    return {
        "$schema": DRAFT,
        "title": "a Stillhouse study",
        "allOf": [
            {"$ref": PREFIX + StudySpec.__name__},
            {"if": {"required": [BASE]}, "else": {"$ref": PREFIX + StudySpec.__name__ + REQUIRED}},
        ],
        "definitions": maker.definitions(),
    }


class _SchemaMaker:
    """Turn pydantic's schema of each section into its shape and its required keys."""

    def __init__(self, sections: dict[str, Node], describe: Describe) -> None:
        self._sections = sections
        self._describe = describe

    def definitions(self) -> dict[str, Node]:
        """Return the shapes of all sections, then what each requires."""
        shapes = {name: self._section(name) for name in sorted(self._sections)}
        search = shapes["Search"]["properties"]
        search["algorithm"] = _described(
            {"anyOf": [{"enum": list(algorithms())}, search["algorithm"]]}, search["algorithm"]
        )
        search["space"] = _described(self._space(shapes), search["space"])
        shapes[StudySpec.__name__]["properties"] = {BASE: _base(), **shapes[StudySpec.__name__]["properties"]}
        demands = {name + REQUIRED: found for name in sorted(self._sections) if (found := self._section_demands(name))}
        return shapes | demands

    def _section(self, name: str) -> Node:
        """Return the shape of a section: its keys and their values, none of them required."""
        properties = {}
        for key, node in self._sections[name]["properties"].items():
            text = self._describe(name, key)
            properties[key] = _with_text(self._shape(node), text, node.get("default"))
        return {"type": "object", "additionalProperties": False, "properties": properties}

    def _shape(self, node: Node) -> Node:
        """Return the shape of a value. The items of a list are whole: a list of a base is replaced, not merged with."""
        options = node.get("oneOf") or node.get("anyOf")
        if options:
            return self._one_of(options)
        found = {key: value for key, value in node.items() if key not in ("title", "default", "prefixItems", "items")}
        if "prefixItems" in node:
            found |= {"items": [self._whole(item) for item in node["prefixItems"]], "additionalItems": False}
        elif "items" in node:
            found["items"] = self._whole(node["items"])
        return found

    def _one_of(self, options: list[Node]) -> Node:
        named = [option["$ref"].removeprefix(PREFIX) for option in options if self._kind(option) is not None]
        others = [self._shape(option) for option in options if self._kind(option) is None]
        branches = [*others, self._of_kind(named)] if named else others
        return branches[0] if len(branches) == 1 else _nullable(branches) or {"anyOf": branches}

    def _of_kind(self, names: list[str]) -> Node:
        """Return the shape of a section that its ``kind`` chooses; without it, keys of all kinds are possible."""
        kinds = {self._kind({"$ref": PREFIX + name}): name for name in names}
        unsaid = {"if": {"not": {"required": ["kind"]}}, "then": self._any_kind(names)}
        chosen = [_if_kind(kind, {"$ref": PREFIX + name}) for kind, name in kinds.items()]
        kind = _with_text({"enum": list(kinds)}, self._describe(names[0], "kind"), None)
        return {"type": "object", "properties": {"kind": kind}, "allOf": [*chosen, unsaid]}

    def _any_kind(self, names: list[str]) -> Node:
        properties: dict[str, list[Node]] = {}
        for name in names:
            for key in self._sections[name]["properties"]:
                properties.setdefault(key, []).append({"$ref": f"{PREFIX}{name}/properties/{key}"})
        found = {key: refs[0] if len(refs) == 1 else {"anyOf": refs} for key, refs in properties.items()}
        return {"properties": found, "additionalProperties": False}

    def _kind(self, node: Node) -> str | None:
        """Return the kind that chooses the section which ``node`` refers to, ``None`` for any other node."""
        section = self._sections.get(str(node.get("$ref", "")).removeprefix(PREFIX), {})
        kind: str | None = section.get("properties", {}).get("kind", {}).get("const")
        return kind

    def _whole(self, node: Node) -> Node:
        """Return a value's shape and required keys together."""
        demands = self._demands(node)
        return {"allOf": [self._shape(node), demands]} if demands else self._shape(node)

    def _section_demands(self, name: str) -> Node | None:
        """Return the keys that a section requires, and those that its sections require."""
        section = self._sections[name]
        below = {key: self._demands(node) for key, node in section["properties"].items()}
        properties = {key: node for key, node in below.items() if node}
        required = [key for key in section.get("required", ()) if key != "kind"]
        found = {"required": required} if required else {}
        return {**found, **({"properties": properties} if properties else {})} or None

    def _demands(self, node: Node) -> Node | None:
        options = node.get("oneOf") or node.get("anyOf") or [node]
        kinds = [option for option in options if self._kind(option) is not None]
        plain = [found for option in options if option not in kinds and (found := self._section_ref(option))]
        chosen = [_if_kind(self._kind(option), ref) for option in kinds if (ref := self._section_ref(option))]
        if kinds:
            return {"required": ["kind"], **({"allOf": chosen} if chosen else {})}
        nested = next((self._demands(option) for option in options if option is not node and "oneOf" in option), None)
        return nested or (plain[0] if len(plain) == 1 else None)

    def _section_ref(self, node: Node) -> Node | None:
        name = str(node.get("$ref", "")).removeprefix(PREFIX)
        demands = self._section_demands(name) if name in self._sections else None
        return {"$ref": PREFIX + name + REQUIRED} if demands else None

    def _space(self, shapes: dict[str, Node]) -> Node:
        """Return the shape of the search space: each key with a list of its values, or a distribution."""
        shapes["Distribution"] = {
            "anyOf": [self._whole({"$ref": PREFIX + name}) for name in (kind.__name__ for kind in RANGES)]
        }
        drawn = {"$ref": PREFIX + "Distribution"}
        study = {"$ref": PREFIX + StudySpec.__name__}
        properties = {}
        for key in searchable_keys():
            values = _distinct(_below(study, key.split("."), shapes))
            items = values[0] if len(values) == 1 else {"anyOf": values}
            properties[key] = {"anyOf": [{"type": "array", "minItems": 1, "items": items}, drawn]}
        most = self._sections["Search"]["properties"]["space"]["maxProperties"]
        return {"type": "object", "maxProperties": most, "additionalProperties": False, "properties": properties}


def _nullable(branches: list[Node]) -> Node | None:
    """Return one shape for a plain value or null, whose mistakes are told better than those of alternatives."""
    plain, *others = branches
    if others != [{"type": "null"}] or not isinstance(plain.get("type"), str) or "allOf" in plain:
        return None
    options = {"enum": [*plain["enum"], None]} if "enum" in plain else {}
    return {**plain, **options, "type": [plain["type"], "null"]}


def _sentence(node: Node) -> str | None:
    text: str | None = node.get("description")
    return text


def _if_kind(kind: str | None, then: Node) -> Node:
    return {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": then}


def _with_text(shape: Node, text: str | None, default: Any) -> Node:
    """Return a shape with its description and its default; draft 7 ignores both beside a reference."""
    said = {"description": text} if text else {}
    if default is not None and not isinstance(default, dict):
        said["default"] = default
    return {**said, "allOf": [shape]} if "$ref" in shape and said else {**said, **shape}


def _described(shape: Node, described: Node) -> Node:
    """Return a shape with the description of another one, which keeps none itself."""
    text = described.pop("description", None)
    return _with_text(shape, text, None)


def _base() -> Node:
    name = {"type": "string", "minLength": 1}
    return {"description": ABOUT_BASE, "anyOf": [name, {"type": "array", "minItems": 1, "items": name}]}


def _below(node: Node, keys: list[str], shapes: dict[str, Node]) -> Iterator[Node]:
    """Yield the shapes that the value under a path of keys may have below ``node``."""
    if not keys:
        yield {key: value for key, value in node.items() if key not in ("description", "default")}
        return
    if "$ref" in node:
        yield from _below(shapes[node["$ref"].removeprefix(PREFIX)], keys, shapes)
    for part in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _below(part.get("then", part) if "not" not in part.get("if", {}) else {}, keys, shapes)
    if keys[0] in node.get("properties", {}) and "allOf" not in node:
        yield from _below(node["properties"][keys[0]], keys[1:], shapes)


def _distinct(nodes: Iterable[Node]) -> list[Node]:
    found: list[Node] = []
    for node in nodes:
        if node not in found:
            found.append(node)
    return found
