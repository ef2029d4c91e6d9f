"""Write commands for the user to type next, with the options that they gave, quoted for a shell."""

import argparse
import os
import shlex
import sys

from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.store import DEFAULT, VARIABLE

LIGHT = ("check",)  # commands that take neither a store nor options of a run


def command_again(
    arguments: argparse.Namespace, verb: str, *more: str, digest: str | None = None, store: str | None = None
) -> str:
    """Return ``stillhouse VERB STUDY`` with the study's options as they were given, then ``more``.

    ``digest`` stands for ``--images-changed``: later commands have to name the images. ``store`` is the store to name
    instead of the given one.
    """
    given = getattr(arguments, "sets", [])
    sets = [*given, *([f"dataset.images_digest={digest}"] if digest else [])]
    words = ["stillhouse", verb, arguments.study, *(word for one in sets for word in ("--set", one))]
    if verb not in LIGHT:
        words += _placing(arguments, store)
    words += ["--trust-config"] if getattr(arguments, "trust_config", False) else []
    return shlex.join([*words, *more])


def repeating_command(arguments: argparse.Namespace) -> str:
    """Return the command that trains a report's trials, for readers who lack this shell's variables."""
    store = arguments.store or os.environ.get(VARIABLE, DEFAULT)
    return command_again(arguments, "run", store=None if store == DEFAULT else store)


def print_next(*commands: str) -> None:
    """Print the next commands on stderr."""
    print_commands("next:", *commands)


def print_commands(title: str, *commands: str) -> None:
    """Print commands on stderr under a title, one a line, whole: a folded command cannot be pasted."""
    for number, command in enumerate(commands):
        print(printable(redacted(f"{'' if number else title:<9}{command}")), file=sys.stderr)


def _placing(arguments: argparse.Namespace, store: str | None) -> list[str]:
    workers, store = getattr(arguments, "workers", None), store or getattr(arguments, "store", None)
    return [
        *(["--workers", str(workers)] if workers else []),
        *(["--store", store] if store else []),
        *(["--random-weights"] if getattr(arguments, "random_weights", False) else []),
    ]
