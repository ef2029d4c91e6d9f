"""Run the command that is disturbed, again and again, in one store."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.flavours import STUDY, Flavour
from tests.e2e.stillhouse import COMMAND, ROOT


class Command:
    """Own one store, and ``stillhouse run`` in it, with ``variables`` beside the environment's.

    ``scratch`` stands in for the machine's folder of temporary files; its path is short, for Ray puts sockets there.
    """

    def __init__(
        self,
        flavour: Flavour,
        folder: Path,
        scratch: Path,
        tracking: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
        self.store, self._folder = folder / "store", folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), **(variables or {})}
        (folder / "chaos.yaml").write_text(STUDY)
        sets = [*flavour.sets, *([f"tracking.uri={tracking}"] if tracking else [])]
        options = [part for one in sets for part in ("--set", one)]
        self._line = [*COMMAND, "run", str(folder / "chaos.yaml"), "--store", str(self.store), "--json", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.began, self.starts = 0.0, 0

    @property
    def pid(self) -> int:
        """Return the number of the running command."""
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Return the exit code, ``None`` while the command runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def said(self) -> str:
        """Return what the latest start has printed on stderr."""
        return (self._folder / f"stderr-{self.starts}").read_text(errors="replace")

    def start(self) -> None:
        """Start the command, as a shell of its own would."""
        self.starts += 1
        self.began = time.monotonic()
        out, err = self._folder / f"stdout-{self.starts}", self._folder / f"stderr-{self.starts}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._line,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env=self._environment,
            )
