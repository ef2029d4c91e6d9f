"""Compose the ``stillhouse`` command: parse, dispatch, and turn errors into one message and an exit code."""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from orchestrator.commands.carry_out import carry_out, complain, log_plainly
from orchestrator.compat.argparse_help import aligned
from orchestrator.core.exit_codes import WRONG_INPUT
from orchestrator.core.version import own_version
from trainers.schema.plugins import BrokenPlugin

COMMANDS = (
    "init",
    "check",
    "data",
    "plan",
    "run",
    "sync",
    "compare",
    "predict",
    "report",
    "figure",
    "reproduce",
    "dashboard",
    "export",
    "methods",
    "doctor",
    "submit",
    "status",
    "logs",
    "stop",
    "resume",
    "list",
    "serve",
    "cluster",
)
EPILOG = "exit codes: 0 done, 1 an operation failed, 2 wrong input, 130 interrupted"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; users' errors are one message on stderr, never a traceback."""
    try:
        arguments = parser().parse_args(argv) if argv is not None else parsed_at_start()
    except BrokenPlugin as error:  # the lists of kinds are made when commands are imported
        return complain(error, WRONG_INPUT).code
    log_plainly()
    return carry_out(lambda: arguments.run(arguments)).code


def parsed_at_start() -> argparse.Namespace:
    """Return the arguments of this process.

    Freezing keeps the objects that imports made out of garbage collection, also when the process ends. Collecting them
    would take a sixth of the time of a short command.
    """
    gc.disable()
    try:
        return parser().parse_args()
    finally:
        gc.freeze()
        gc.enable()


def parser() -> argparse.ArgumentParser:
    """Return the command-line parser; commands are light to import and load their dependencies when they run."""
    top = argparse.ArgumentParser(
        prog="stillhouse",
        description="Distil object detectors: one YAML study, from a laptop to a cluster.",
        epilog=EPILOG,
        formatter_class=aligned(COMMANDS),
    )
    top.add_argument("--version", action="version", version=f"stillhouse {own_version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"orchestrator.commands.{name}")
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=summary, epilog=EPILOG)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


if __name__ == "__main__":
    sys.exit(main())
