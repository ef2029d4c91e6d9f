"""Ask NVIDIA's tool how much memory the GPUs of this machine have, without importing torch."""

import os
import shutil
import subprocess

ASK = ("--query-gpu=index,memory.total", "--format=csv,noheader,nounits")
PATIENCE_S = 20.0  # a driver that has just been loaded takes some


def gpu_memory() -> int | None:
    """Return the bytes of the smallest GPU that is not hidden from CUDA programs; ``None`` where nobody tells."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        said = subprocess.run([tool, *ASK], capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return smallest(said, os.environ.get("CUDA_VISIBLE_DEVICES"))


def smallest(said: str, visible: str | None) -> int | None:
    """Return the bytes of the smallest of the listed GPUs (``index, MiB`` a line), of those in ``visible`` if that lists indices."""
    pairs = [line.split(",") for line in said.splitlines() if line.count(",") == 1]
    known = {index.strip(): int(size) for index, size in pairs if size.strip().isdigit()}
    chosen = [name.strip() for name in (visible or "").split(",")]
    seen = [size for index, size in known.items() if visible is None or index in chosen]
    return min(seen or known.values(), default=0) * 2**20 or None
