"""View results in a browser, or write the pages into one file."""

import argparse
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_store, store_of
from orchestrator.core.errors import UserError

if TYPE_CHECKING:
    from dashboards.snapshot import Query
    from orchestrator.tracking.history.mlflow_tracking import MlflowTracking

HOST, PORT, HIGHEST_PORT = "127.0.0.1", 8280, 65_535
ENDINGS = (".html", ".htm")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=["serve", "export"], help="serve the dashboard, or write it into FILE")
    parser.add_argument("file", nargs="?", metavar="FILE", help="HTML file to write (export): FILE.html")
    add_store(parser)
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="an MLflow server or database, instead of the store's own database"
    )
    parser.add_argument(
        "--study", dest="studies", metavar="NAME", action="append", default=[],
        help="show only the study of this name (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--metric", default="", help="metric that ranks trials (default: that of the studies' search.metric)"
    )
    parser.add_argument(
        "--dashboard", dest="dashboards", metavar="FILE", action="append", default=[],
        help="custom dashboard, see docs/dashboards.md (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--host", default=HOST, help=f"address to serve at (default: {HOST}, this machine only)")
    parser.add_argument("--port", type=port, default=PORT, help=f"port to serve at (default: {PORT}; 0: any)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or write the file."""
    if (arguments.file is None) == (arguments.action == "export"):
        wanted = "export requires FILE, the HTML file to write" if arguments.file is None else "serve takes no FILE"
        raise UserError(f"{wanted}: stillhouse dashboard export FILE.html, or stillhouse dashboard serve")
    return serve(arguments) if arguments.action == "serve" else export(arguments)


def serve(arguments: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C."""
    from dashboards.live import Live
    from dashboards.server import allowed_hosts, application
    from orchestrator.compat.uvicorn_server import serve as answer
    from orchestrator.core.listening import open_socket, url_of
    from orchestrator.core.sparing_log import sparingly

    query = query_of(arguments)
    tracking = tracking_of(arguments)
    with open_socket(arguments.host, arguments.port) as listener:
        app = application(Live(tracking, query), tracking, allowed_hosts(arguments.host))
        if arguments.host not in LOOPBACK:
            print(f"anyone who can reach {arguments.host} can read all results: there is no password", file=sys.stderr)
        print(f"dashboard of {tracking.source}: {url_of(arguments.host, listener)}/", file=sys.stderr, flush=True)
        with sparingly("uvicorn.error", "asyncio"):
            answer(app, listener)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write the pages, with the results in them, into one file."""
    from dashboards.export import export as write

    target = Path(arguments.file)
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise UserError(f"{target}: name a file in an existing folder")
    if target.suffix.lower() not in ENDINGS:
        raise UserError(f"{target}: browsers open the page by its ending: write {target}.html")
    gc.disable()  # it takes one of the five seconds of a thousand runs
    try:
        tracking = tracking_of(arguments)
        size = write(tracking, query_of(arguments), target, tracking)
    finally:
        gc.enable()
    print(f"{target}: {size / 1e6:.1f} MB, opens in any browser, offline", file=sys.stderr)
    return 0


def query_of(arguments: argparse.Namespace) -> "Query":
    """Return the query that the arguments describe."""
    from dashboards.saved_views import all_dashboards
    from dashboards.snapshot import Query
    from orchestrator.study.selection import key_of

    return Query(key_of(arguments.metric), tuple(arguments.studies), dashboards=all_dashboards(arguments.dashboards))


def tracking_of(arguments: argparse.Namespace) -> "MlflowTracking":
    """Open the tracking store that the arguments name; raise ``UserError`` where there is none yet."""
    from orchestrator.tracking.history.mlflow_tracking import MlflowTracking

    if arguments.tracking_uri and arguments.store:
        raise UserError("--store and --tracking-uri name two sources: give one of them")
    if arguments.tracking_uri:
        return MlflowTracking(arguments.tracking_uri)
    store = store_of(arguments)
    if not store.database.exists() and any(store.trials.glob("*")):
        raise UserError(f"the store {store.root} has no tracking database: stillhouse sync STUDY writes one")
    return MlflowTracking(store.tracking_uri, store.trials)


def port(text: str) -> int:
    """Return a port's number, for argparse."""
    value = int(text)
    if not 0 <= value <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"must be 0 to {HIGHEST_PORT}, got {value}")
    return value
