"""Note in which order a test's code flushes and renames files."""

import os
from pathlib import Path

import pytest


class NotedDisk:
    """Hold what was done to the files below ``root``: ``flush NAME`` and ``rename OLD NEW``, folders with a slash."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        fsync, replace = os.fsync, Path.replace

        def flushed(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self.done.append(f"flush {path.relative_to(root)}{'/' if path.is_dir() else ''}")
            fsync(descriptor)

        def renamed(path: Path, target: Path) -> Path:
            self.done.append(f"rename {path.relative_to(root)} {Path(target).relative_to(root)}")
            return replace(path, target)

        monkeypatch.setattr(os, "fsync", flushed)
        monkeypatch.setattr(Path, "replace", renamed)

    def take(self) -> list[str]:
        """Return what was done since the last call."""
        taken, self.done = self.done, []
        return taken
