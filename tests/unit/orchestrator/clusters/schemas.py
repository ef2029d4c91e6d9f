"""Validate rendered files against the schemas of those who read them; a key that a schema does not know is a mistake."""

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator

VENDORED = Path(__file__).parents[2] / "schemas"


def closed(schema: Any) -> Any:
    """Return a schema in which an object with listed properties has no others: typing mistakes show."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    named = isinstance(found.get("properties"), dict) and found.get("type") == "object"
    return found | ({"additionalProperties": False} if named and "additionalProperties" not in found else {})


def kuberay_mistakes(document: dict[str, Any]) -> list[str]:
    """Return what KubeRay's custom resource definitions say against an object; Kubernetes checks its metadata itself."""
    schema = closed(json.loads((VENDORED / "kuberay.json").read_text()))
    content = {key: value for key, value in document.items() if key != "metadata"}
    root = {"$ref": f"#/$defs/{document['kind']}", "$defs": schema["$defs"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(root).iter_errors(content)]


def compose_mistakes(document: dict[str, Any]) -> list[str]:
    """Return what the Compose Specification says against a document."""
    schema = json.loads((VENDORED / "compose-spec.json").read_text())
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]


def ray_mistakes(document: dict[str, Any]) -> list[str]:
    """Return what the installed Ray's schema of cluster files says against a document."""
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text())
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(document)]


def with_typo(document: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """Return a copy in which the key at the end of ``path`` is spelt wrongly."""
    changed = copy.deepcopy(document)
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[f"{path[-1]}x"] = holder.pop(path[-1])
    return changed
