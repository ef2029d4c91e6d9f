"""Print the JSON schema of studies, for editors.

It describes the keys of this installation: the built-in ones and those of installed packages.
"""

import argparse
from pathlib import Path

from orchestrator.core.errors import UserError
from orchestrator.core.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--output", metavar="FILE", type=Path, help="write to FILE instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the schema."""
    from orchestrator.study.json_schema import installed_schema, schema_text

    text = schema_text(installed_schema())
    if arguments.output is None:
        print(text, end="")
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{arguments.output}: cannot be written: {error.strerror}") from error
    print(printable(f"{arguments.output}: written"))
    return 0
