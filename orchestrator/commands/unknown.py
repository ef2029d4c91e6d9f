"""Answer commands and options that do not exist with the ones that were probably meant."""

import re
from collections.abc import Sequence

from orchestrator.core.errors import UserError
from orchestrator.study.foreign_words import normal, note, translation
from orchestrator.study.scalars import plain
from orchestrator.study.wording import closest, did_you_mean

# The command that does what other tools call so.
COMMANDS = {
    "train": "run", "fit": "run", "tune": "run", "sweep": "run", "search": "run", "distill": "run", "start": "run",
    "eval": "compare", "evaluate": "compare", "val": "compare", "test": "compare", "results": "compare",
    "show": "compare", "rank": "compare", "benchmark": "compare",
    "detect": "predict", "infer": "predict", "inference": "predict", "demo": "predict",
    "plot": "figure", "draw": "figure", "curves": "figure", "table": "report", "latex": "report",
    "ui": "dashboard", "board": "dashboard", "tensorboard": "dashboard", "view": "dashboard",
    "new": "init", "create": "init", "setup": "init",
    "lint": "check", "validate": "check", "dry-run": "plan", "estimate": "plan",
    "dataset": "data", "browse": "data", "env": "doctor", "info": "doctor", "settings": "doctor",
    "models": "methods", "ls": "list", "ps": "list", "kill": "stop", "cancel": "stop", "launch": "submit",
    "job": "submit", "tail": "logs", "up": "cluster", "down": "cluster", "queue": "serve", "restart": "resume",
    "convert": "export", "save": "export", "push": "sync", "upload": "sync",
}  # fmt: skip
OF_TRIALS = frozenset({"--trial", "--trials"})  # their own answer says what to give
EMPTY_OPTION = re.compile(r"--[a-z-]+=")
# Options that no command has, and the way to do it.
OPTIONS = {
    **dict.fromkeys(
        ("config", "cfg", "study", "file"), "name the study's file without an option: stillhouse {command} study.yaml"
    ),
    **dict.fromkeys(("dry-run", "dryrun"), "stillhouse plan study.yaml shows the trials and starts nothing"),
    **dict.fromkeys(("output", "output-dir", "work-dir", "out", "save-dir"), "--store DIR names the folder of results"),
    **dict.fromkeys(("cfg-options", "override", "opt", "options"), "--set KEY=VALUE changes a key of the study"),
    **dict.fromkeys(("verbose", "debug", "quiet"), "findings and progress go to stderr, tables to stdout"),
}


def require_values(argv: Sequence[str]) -> None:
    """Raise ``UserError`` for an empty argument: nothing takes one, and as a path it would be the working directory."""
    for index, word in enumerate(argv):
        option = argv[index - 1] if argv[index - 1].startswith("--") else f"argument {index}"
        empty = option if not word else word[:-1] if EMPTY_OPTION.fullmatch(word) else None
        if empty is not None and empty not in OF_TRIALS:
            raise UserError(f"{argv[0]}: {empty} is empty: give it a value, or leave it out")


def unknown_command(word: str, commands: Sequence[str]) -> UserError:
    """Return the error for a word in place of a command."""
    meant = closest(word, commands, cutoff=0.75) or COMMANDS.get(word.lower()) or closest(word, commands)
    asked = f"did you mean stillhouse {meant}? " if meant in commands else ""
    return UserError(f"{word!r} is not a command: {asked}stillhouse --help lists the commands")


def unknown_option(command: str, unknown: Sequence[str], argv: Sequence[str], usage: str) -> UserError:
    """Return the error for arguments that ``command`` does not take; ``usage`` names those that it takes."""
    word = next((argument for argument in unknown if argument.startswith("-")), unknown[0])
    option, _, value = word.partition("=")
    if not option.startswith("-"):
        return UserError(f"{command}: one argument too many: {word}")
    known = re.findall(r"--[a-z][a-z-]*", usage)
    return UserError(
        f"{command}: unknown option {option}{_hint(command, option, value or _after(option, argv), known)}"
    )


def _after(option: str, argv: Sequence[str]) -> str:
    """Return the argument that follows an option; "" where another option does, or none."""
    index = argv.index(option) if option in argv else len(argv)
    following = argv[index + 1 : index + 2]
    return "" if not following or following[0].startswith("--") else following[0]


def _hint(command: str, option: str, value: str, known: Sequence[str]) -> str:
    own = next((text for name, text in OPTIONS.items() if normal(name) == normal(option)), None)
    if own is not None:
        return f": {own.format(command=command)}"
    setting = _setting(option, value) if "--set" in known else None
    if setting is not None:
        return f": write --set {setting}"
    reason = note(option)
    return f" ({reason})" if reason else did_you_mean(option, known)


def _setting(option: str, value: str) -> str | None:
    """Return the ``KEY=VALUE`` of ``--set`` that an option of another tool, or the name of a key, stands for."""
    found = translation(option)
    place = found.key if found else _place(option.strip("-").replace("-", "_"))
    if place is None:
        return None
    text = f"{place}={found.value(_number(value)) if found else value or 'VALUE'}"
    return f"'{text}'" if set(text) & set(" []{}$*") else text


def _place(word: str) -> str | None:
    """Return the study's key of this name: at the top where it has a plain value, else the one nearest to the top."""
    from orchestrator.study.fields import is_section, types_at
    from orchestrator.study.schema import StudySpec
    from orchestrator.study.suggestions import place_of

    at_top = types_at(StudySpec, (word,), None)
    return word if at_top and not any(map(is_section, at_top)) else place_of(word, StudySpec)


def _number(text: str) -> object:
    try:
        return plain(text)
    except ValueError:
        return None
