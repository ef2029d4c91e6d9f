"""Print the part of a lock that some of its roots need: the image holds no test tools, and the tools install nothing else.

uv writes behind each requirement which others asked for it (``# via``). A requirement is taken when its name is a root,
or when a root or something taken asked for it. Standard library only: this runs before anything is installed.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = "stillhouse (pyproject.toml)"  # as a root: what the project needs at run time


def blocks(lock: str) -> list[list[str]]:
    """Return the lines of each requirement: the pin, its hashes and who asked for it."""
    found: list[list[str]] = []
    for line in lock.splitlines():
        if line[:1] not in ("", " ", "#"):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def name_of(block: list[str]) -> str:
    """Return the requirement's name, without extras."""
    return block[0].partition("==")[0].partition("[")[0]


def askers(block: list[str]) -> set[str]:
    """Return who asked for the requirement."""
    comments = [line.strip().removeprefix("#").strip() for line in block if line.strip().startswith("#")]
    return {comment.removeprefix("via").strip() for comment in comments} - {""}


def pick(lock: str, roots: Iterable[str]) -> list[list[str]]:
    """Return the requirements that ``roots`` need, in the lock's order; raise ``ValueError`` for an unknown root."""
    every = blocks(lock)
    taken = set(roots)
    unknown = taken - {PROJECT} - {name_of(block) for block in every}
    if unknown:
        raise ValueError(f"the lock has no {', '.join(sorted(unknown))}")
    size = 0
    while size != len(taken):
        size = len(taken)
        taken |= {name_of(block) for block in every if askers(block) & taken}
    return [block for block in every if name_of(block) in taken]


def without_comments(block: list[str]) -> str:
    """Return the requirement as an installer reads it."""
    return "\n".join(line for line in block if not line.strip().startswith("#"))


if __name__ == "__main__":
    path, *wanted = sys.argv[1:]
    text = Path(path).read_text(encoding="utf-8")
    print("\n".join(map(without_comments, pick(text, [PROJECT if root == "." else root for root in wanted]))))
