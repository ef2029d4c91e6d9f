"""Compose the ``stillhouse`` command: parse, dispatch, and turn errors into one message and an exit code."""

import argparse
import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from orchestrator.commands.carry_out import carry_out, complain, log_plainly
from orchestrator.commands.examples import examples_of
from orchestrator.commands.unknown import require_values, unknown_command, unknown_option
from orchestrator.compat.argparse_help import PageFormatter
from orchestrator.core.errors import UserError
from orchestrator.core.exit_codes import WRONG_INPUT
from orchestrator.core.home import require_home
from orchestrator.core.standard_streams import require_streams
from orchestrator.core.version import own_version
from trainers.schema.plugins import BrokenPlugin

GROUPS = {
    "study": ("init", "check", "data", "plan", "run", "pause", "retry", "sync"),
    "results": ("compare", "report", "figure", "predict", "export", "verify", "dashboard", "reproduce"),
    "cluster": ("submit", "status", "logs", "stop", "resume", "list", "serve", "cluster"),
    "tools": ("methods", "doctor", "clean", "schema", "completion"),
}
COMMANDS = tuple(command for group in GROUPS.values() for command in group)
ABOUT = "Distil object detectors: one YAML study, from a laptop to a cluster."
FIRST_STEPS = """first steps:
  stillhouse init FOLDER
  stillhouse plan study.yaml
  stillhouse run study.yaml
  stillhouse COMMAND --help
"""
EPILOG = "exit codes: 0 done, 1 an operation failed, 2 wrong input, 130 interrupted"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; users' errors are one message on stderr, never a traceback.

    Without arguments it prints the help, and the exit code is that of wrong input: a script that lost its arguments fails.
    """
    require_streams()
    given = sys.argv[1:] if argv is None else argv
    try:
        if not given:
            parser().print_help()
            return WRONG_INPUT
        arguments = parsed(given) if argv is not None else parsed_at_start(given)
    except (BrokenPlugin, UserError) as error:  # the lists of kinds are made when commands are imported
        return complain(error, WRONG_INPUT).code
    log_plainly()
    require_home()
    return carry_out(lambda: arguments.run(arguments)).code


def parsed_at_start(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of this process.

    Freezing keeps the objects that imports made out of garbage collection, also when the process ends. Collecting them
    would take a sixth of the time of a short command.
    """
    gc.disable()
    try:
        return parsed(argv)
    finally:
        gc.freeze()
        gc.enable()


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; raise ``UserError`` for a command or an option that does not exist."""
    if argv[0][:1] != "-" and argv[0] not in COMMANDS:
        raise unknown_command(argv[0], COMMANDS)
    require_values(argv)
    arguments, unknown = parser().parse_known_args(argv)
    if unknown:
        raise unknown_option(arguments.command, unknown, argv, arguments.usage())
    return arguments


def parser() -> argparse.ArgumentParser:
    """Return the command-line parser; commands are light to import and load their dependencies when they run."""
    modules = {name: import_module(f"orchestrator.commands.{name}") for name in COMMANDS}
    texts = {name: (module.__doc__ or "").strip() for name, module in modules.items()}
    top = argparse.ArgumentParser(
        prog="stillhouse",
        usage="stillhouse COMMAND ...",
        description=f"{ABOUT}\n{_listed(texts)}",
        epilog=f"{FIRST_STEPS}\n{EPILOG}",
        formatter_class=PageFormatter,
    )
    top.add_argument("--version", action="version", version=f"stillhouse {own_version()}", help="print the version")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for name, module in modules.items():
        epilog = f"{examples_of(name)}\n\n{EPILOG}"
        command = commands.add_parser(
            name,
            help=texts[name].splitlines()[0],
            description=texts[name],
            epilog=epilog,
            prog=f"stillhouse {name}",
            formatter_class=PageFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, usage=command.format_usage, top=parser)
    return top


def _listed(texts: Mapping[str, str]) -> str:
    """Return the commands in their groups, each with its first sentence, as lines of two columns."""
    width = max(map(len, texts))
    lines = [
        line
        for group, names in GROUPS.items()
        for line in ("", f"{group}:", *(f"  {name:<{width}}  {texts[name].splitlines()[0]}" for name in names))
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
