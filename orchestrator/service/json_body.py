"""Read requests' bodies by the parser of foreign JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from trainers.schema.foreign_json import ForeignJsonError, parse_json

MOST_VALUES = 1000  # of a request: a study has 33 files at most


class JsonRequest(Request):
    """Be a request whose JSON has limits."""

    async def json(self) -> Any:
        """Return the body's value; raise 422 when it is no JSON or exceeds a limit."""
        try:
            return parse_json(await self.body(), most_values=MOST_VALUES, constants=False)
        except ForeignJsonError as error:
            raise HTTPException(422, f"the body {error}") from error


class JsonRoute(APIRoute):
    """Be an endpoint that takes such requests, of any ``Content-Type``: a body can only be JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of FastAPI for such a request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            scope = {**request.scope, "headers": [*headers, (b"content-type", b"application/json")]}
            return await handler(JsonRequest(scope, request.receive))

        return handle
