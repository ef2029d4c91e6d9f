"""Print a script that completes commands and options in a shell.

In bash: source <(stillhouse completion bash). docs/commands.md says how to install the script for good.
"""

import argparse

from orchestrator.compat.argparse_help import actions_of

SHELLS = ("bash", "zsh")
# What the shell looks for in place of an argument: its metavar says which kind of file it is.
STUDIES = {"bash": "_stillhouse_studies", "zsh": "_files -g '*.(yaml|yml)'"}
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}
FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/"}
BY_METAVAR = {"STUDY": STUDIES, "STUDY|ID": STUDIES, "FILE": FILES, "DIR": FOLDERS, "FOLDER": FOLDERS}
PREAMBLE = {
    "bash": """\
_stillhouse_studies() {
  compgen -f -X '!*.@(yaml|yml)' -- "$1"
  compgen -d -S '/' -- "$1"
}
shopt -s extglob
"""
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="shell that the script is for")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    top: argparse.ArgumentParser = arguments.top()
    for action in actions_of(top):
        if action.dest == "command":
            action.help = None  # shtab leaves out commands whose list is suppressed in the help
        found = BY_METAVAR.get(action.metavar) if isinstance(action.metavar, str) else None
        if found is not None:
            action.complete = found  # type: ignore[attr-defined]  # shtab reads it from the action
    print(shtab.complete(top, arguments.shell, preamble=PREAMBLE.get(arguments.shell, "")))
    return 0
