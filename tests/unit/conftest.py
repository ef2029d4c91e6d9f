"""Hold what this folder promises: a test that starts a process or sleeps fails, and belongs to tests/processes."""

import multiprocessing.process
import sys
import threading
from collections.abc import Iterator

import pytest

STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
broken: list[str] | None = None


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Keep what the test under watch does against the promise; Python tells before it does it."""
    if broken is None:
        return
    if event in STARTS and not _asks_for_the_platform():
        broken.append(f"{event}{arguments!r:.200}")
    elif event == "time.sleep" and arguments != (0,) and threading.current_thread() is threading.main_thread():
        broken.append(f"time.sleep{arguments!r}")


def _asks_for_the_platform() -> bool:
    """Tell whether Python itself runs ``uname``, as it does once when libraries are imported."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "platform":
            return True
    return False


sys.addaudithook(note)


@pytest.fixture(autouse=True)
def neither_a_process_nor_sleep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Watch the test, and what its fixtures begin after this one."""
    global broken
    start = multiprocessing.process.BaseProcess.start

    def noted(process: multiprocessing.process.BaseProcess) -> None:
        note("os.fork", (process.name,))  # spawned processes raise no event
        start(process)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", noted)
    broken = []
    yield
    found, broken = broken, None
    assert not found, "tests in this folder start no process and do not sleep: move this one to tests/processes"
