"""Name this machine's CPU."""

import platform
from pathlib import Path

LISTED = Path("/proc/cpuinfo")
NAME = "model name"  # of x86; other architectures list none


def cpu_name(listed: Path = LISTED) -> str:
    """Return the CPU's model as the system lists it, else its architecture."""
    try:
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(NAME))
    return " ".join(next(named, "").split()) or platform.machine()
