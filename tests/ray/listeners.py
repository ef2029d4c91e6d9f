"""Read from the kernel at which addresses processes listen."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

LISTENING = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}  # as /proc writes them


def listened_at(pids: Iterable[int]) -> list[str]:
    """Return the local address, as the kernel writes it, of every TCP socket at which one of the processes listens."""
    own = {inode for pid in pids for inode in _sockets(pid)}
    return [address for inode, address in _listening() if inode in own]


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def _sockets(pid: int) -> Iterator[str]:
    """Yield the inodes of a process's open sockets."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink()))
        except FileNotFoundError:  # closed in between
            continue
        if match:
            yield match[1]


def _listening() -> Iterator[tuple[str, str]]:
    """Yield inode and local address of every TCP socket that listens."""
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                yield fields[9], fields[1].partition(":")[0]
