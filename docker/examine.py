"""Look through an image's files for what must not be in it: compilers, test data, traces of the machine that built it.

    examine.py ROOT [WORD ...]      every WORD is a trace: a host name, an address, a path that only that machine has

Prints one line a finding; the exit code is 1 when there is one. Standard library only.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

COMPILERS = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|clang\+\+|cpp|tcc|ld|as|make|nvcc|rustc|cargo|go)(-?[0-9.]+)?")
PROGRAM_FOLDERS = {"bin", "sbin"}
LARGEST_TEXT = 4 << 20  # bytes; larger files are libraries and archives


def files(root: Path) -> Iterator[Path]:
    """Yield every file of an image, links included, kernel file systems left out."""
    for folder, names, found in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in ("proc", "sys", "dev")]
        yield from (Path(folder) / name for name in found)


def findings(root: Path, words: list[str]) -> Iterator[str]:
    """Yield what is wrong with an image."""
    for path in files(root):
        place = f"/{path.relative_to(root)}"
        if path.parent.name in PROGRAM_FOLDERS and COMPILERS.fullmatch(path.name) and os.access(path, os.X_OK):
            yield f"{place}: a compiler or linker"
        if place.startswith("/opt/stillhouse/") and "/tests/" in place and _is_ours(place):
            yield f"{place}: a test of this project"
        yield from (f"{place}: holds {word!r}" for word in _traces(path, words))


def _is_ours(place: str) -> bool:
    return place.split("/site-packages/", 1)[-1].startswith(("tests/", "orchestrator/", "trainers/", "dashboards/"))


def _traces(path: Path, words: list[str]) -> Iterator[str]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink()).encode()
    elif stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_TEXT:
        content = path.read_bytes()
    else:
        return
    yield from (word for word in words if word.encode() in content)


if __name__ == "__main__":
    found = list(findings(Path(sys.argv[1]), sys.argv[2:]))
    print("\n".join(found) or "no compiler, no test, no trace of the building machine")
    sys.exit(1 if found else 0)
