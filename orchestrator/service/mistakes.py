"""Word the mistakes of a request as those of a study: the key as it was sent, the rule, and the value."""

from typing import Any, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue

from orchestrator.core.printable import printable
from orchestrator.service.validation import Sent
from orchestrator.study.location import Problem, dotted
from orchestrator.study.messages import explain_all
from trainers.schema.base import Section

MOST, LONGEST = 20, 300  # mistakes of a request that are named; characters of each
BODY = "body"
NO_BODY = 'expected JSON, such as {"files": {"study.yaml": "..."}}'


def mistakes(request: Request, error: RequestValidationError) -> str:
    """Describe a request's first mistakes, one per line; names in them are as long as the sender made them."""
    lines = (
        f"{one[:LONGEST]}: {message[:LONGEST]}" for one, message in _told(request, list(error.errors()), error.body)
    )
    return "\n".join(printable(line) for _, line in zip(range(MOST), lines, strict=False))


def _told(request: Request, errors: list[Any], body: JsonValue) -> list[tuple[str, str]]:
    """Return the place of each mistake, by the part of the request and the key as it was sent, and its message."""
    sent: dict[str, JsonValue] = {BODY: body, "query": dict(request.query_params), "path": dict(request.path_params)}
    found = []
    for part in dict.fromkeys(str(error["loc"][0]) for error in errors):
        inner = [{**error, "loc": tuple(error["loc"][1:])} for error in errors if error["loc"][0] == part]
        root = _body_of(request) if part == BODY else Section
        found += [(_where(part, one), one.message) for one in _problems(inner, root, sent.get(part))]
    return found


def _problems(errors: list[Any], root: type[Section], data: JsonValue) -> list[Problem]:
    if any(not error["loc"] and error["type"] == "missing" for error in errors):
        return [Problem((), NO_BODY)]
    return explain_all(errors, root, data)


def _where(part: str, problem: Problem) -> str:
    return ".".join(filter(None, [part, dotted(problem.path)]))


def _body_of(request: Request) -> type[Section]:
    """Return the section that the endpoint takes."""
    taken = get_type_hints(request.scope["endpoint"]).get("sent", Sent)
    return taken if isinstance(taken, type) and issubclass(taken, Section) else Sent
