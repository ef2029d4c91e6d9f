"""Read hostile inputs one after the other under limits; the process that ``bounded`` starts."""

import faulthandler
import importlib
import json
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.contract.hostile.bounded import MEMORY, Case, Outcome

# Events of Python's own audit that no reader of a file has any business with.
FORBIDDEN = frozenset({
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "subprocess.Popen",
    "pty.spawn", "socket.connect", "socket.bind", "socket.getaddrinfo", "shutil.rmtree", "os.putenv", "os.kill",
    "os.remove", "os.rename", "os.chmod", "os.symlink", "code.__new__", "function.__new__",
})  # fmt: skip
SLACK = 64 << 20  # bytes that allocators keep for later
watching = False


def main(generator: str, reader: str, folder: str, count: str, seed: str) -> None:
    """Answer each case with one line on standard output."""
    os.environ["OMP_NUM_THREADS"] = "1"
    read, generate, canary = _named(reader), _named(generator), Path(folder) / "canary"
    cases = generate(int(count), int(seed), canary)
    for number, case in enumerate(cases):
        path = Path(folder) / str(number) / f"input{case.suffix}"
        path.parent.mkdir()
        path.write_bytes(case.content)
        if number == 0:
            read(path)  # imports, caches and pools are not the case's
            sys.addaudithook(_refuse)
        _say({"begun": case.name})
        answer = _answer(read, path, case)
        _say((answer._replace(raised="made the canary") if canary.exists() else answer)._asdict())
        shutil.rmtree(path.parent)


def _answer(read: Any, path: Path, case: Case) -> Outcome:
    global watching
    size, before, said, raised = len(case.content), _reset(), None, None
    _limit(MEMORY + SLACK + size)
    watching, began = True, time.process_time()
    try:
        said = read(path)
    except BaseException:  # noqa: BLE001  also errors that no reader may raise
        raised = traceback.format_exc(limit=-5)[-1500:]
    finally:
        watching = False
        _limit(None)
    return Outcome(case.name, size, said, time.process_time() - began, _status("VmHWM") - before, raised)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Handle an audit event; one that is forbidden ends the read."""
    if watching and event in FORBIDDEN:
        raise Executed(f"{event}{arguments!r:.200}")


class Executed(BaseException):
    """Report that a file made its reader do something."""


def _reset() -> int:
    """Make the present memory the peak, and return it in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    raise LookupError(key)


def _limit(more: int | None) -> None:
    """Let the process take so many bytes more than it has."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard if more is None else _status("VmData") + more, hard))


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    faulthandler.enable()  # a crash says where it was
    main(*sys.argv[1:])
