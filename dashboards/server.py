"""Serve the page and its data: read-only, for this machine unless it is told otherwise, nothing from elsewhere."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboards.artifact_cache import ArtifactCache
from dashboards.live import Body, Live
from dashboards.predictions import INDEX, Artifacts, kind_of
from dashboards.schema import VERSION, Snapshot
from dashboards.views import list_script, views
from orchestrator.core.errors import OperationError
from trainers.schema.record import ERROR

WEB = Path(__file__).with_name("web")
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
HEADERS = {
    # Styles are also set by the charts' tooltips; scripts, data and pictures come from this server or nowhere.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
Handler = Callable[[Request], Response]


def application(live: Live, artifacts: Artifacts, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """Return the ASGI application.

    Requests that name another host than ``hosts`` are refused: pages of strangers could otherwise read the results
    through a name of theirs that leads here.
    """
    routes = [
        Route("/", lambda request: FileResponse(WEB / "index.html")),
        Route("/style.css", lambda request: FileResponse(WEB / "style.css")),
        Route("/api/snapshot", _snapshot(live)),
        Route("/api/histories", _histories(live)),
        Route("/api/system", _system(live)),
        Route("/api/artifact", _artifact(live, ArtifactCache(artifacts))),
        Route("/app/views.js", lambda request: _script(list_script())),
        Route("/app/views/{id}.js", _view),
        Mount("/app", StaticFiles(directory=WEB / "app")),
        Mount("/vendor", StaticFiles(directory=WEB / "vendor")),
    ]
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        Middleware(BaseHTTPMiddleware, dispatch=_with_headers),
    ]
    return Starlette(routes=routes, middleware=middleware)


def allowed_hosts(host: str) -> tuple[str, ...]:
    """Return the names under which the server may be addressed: any, where it listens beyond this machine."""
    return LOOPBACK if host in LOOPBACK else ("*",)


def _snapshot(live: Live) -> Handler:
    """Answer with the snapshot, or, to ``since=`` of the newest revision, that there is nothing new."""

    def answer(request: Request) -> Response:
        held = live.current()
        if live.trouble:
            return JSONResponse({"detail": live.trouble}, status_code=503)
        revision = held.content["revision"]
        if request.query_params.get("since") == revision:
            moment = held.content["generated_at"]
            return JSONResponse({"version": VERSION, "revision": revision, "unchanged": True, "generated_at": moment})
        return _tagged(request, held.snapshot, revision)

    return answer


def _histories(live: Live) -> Handler:
    """Answer with all curves, or those of the runs that ``run=`` names, once or several times."""

    def answer(request: Request) -> Response:
        held = live.current()
        wanted = request.query_params.getlist("run")
        if not wanted:
            return _tagged(request, held.histories, held.content["revision"])
        found = held.content["histories"]
        runs = {run: found["runs"][run] for run in wanted if run in found["runs"]}
        return JSONResponse({"steps": found["steps"], "runs": runs})

    return answer


def _system(live: Live) -> Handler:
    """Answer with the system metrics of the run that ``run=`` names."""

    def answer(request: Request) -> Response:
        found = live.current().content["system"]
        run = request.query_params.get("run", "")
        return JSONResponse({**found, "runs": {run: found["runs"][run]} if run in found["runs"] else {}})

    return answer


def _view(request: Request) -> Response:
    """Answer with the script of a view, whichever package it lies in."""
    found = views().get(request.path_params["id"])
    return _script(found.text()) if found else JSONResponse({"detail": "there is no such file"}, status_code=404)


def _script(text: str) -> Response:
    return Response(text, media_type="text/javascript")


def _artifact(live: Live, files: ArtifactCache) -> Callable[[Request], Awaitable[Response]]:
    """Answer with a file of predictions, or the end of the log, of a run that the snapshot knows."""

    async def answer(request: Request) -> Response:
        run, path = request.query_params.get("run", ""), request.query_params.get("path", "")
        kind = kind_of(path)
        if kind is None or run not in _known(live.current().content):
            return JSONResponse({"detail": "no such file"}, status_code=404)
        try:
            found = await files.file(run, path)
        except OperationError as error:
            return JSONResponse({"detail": str(error)}, status_code=503)
        if found is None and path in (ERROR, INDEX):
            return Response(status_code=204)  # most failures and versions leave none, and that is no fault of the page
        if found is None:
            return JSONResponse({"detail": "no such file"}, status_code=404)
        headers = {"etag": f'"{found.digest}"'}
        if _has(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=kind, headers=headers)

    return answer


def _known(content: Snapshot) -> set[str]:
    """Return the runs of all studies and trials, those of older versions too: a study's images may lie in theirs."""
    older = content["older"]
    studies = [*content["studies"], *(version["study"] for version in older)]
    trials = [*content["trials"], *(trial for version in older for trial in version["trials"])]
    return {study["id"] for study in studies} | {trial["run"] for trial in trials}


def _tagged(request: Request, body: Body, revision: str) -> Response:
    """Answer with a body, compressed if the client accepts that, or with 304 if the client has it already."""
    tag = f'W/"{revision}"'
    headers = {"etag": tag, "vary": "accept-encoding"}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body.compressed, media_type="application/json", headers=headers | {"content-encoding": "gzip"})
    return Response(body.plain, media_type="application/json", headers=headers)


def _has(request: Request, tag: str) -> bool:
    """Return whether the client has the content of this tag."""
    return tag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]


async def _with_headers(request: Request, next_: Callable[[Request], Awaitable[Any]]) -> Response:
    response: Response = await next_(request)
    response.headers.update(HEADERS)
    return response
