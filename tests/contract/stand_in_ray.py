"""Stand in for the command ``ray``: note each call in a file, and behave as ``STAND_IN`` says.

``STAND_IN`` is a list of ``verb=behaviour``, separated by commas: ``fail`` (exit code 1 after a line), ``fail-once``,
``hang`` (until it is ended), ``slow`` (half a second).
"""

import os
import shutil
import sys
import time
from pathlib import Path

NOTES = Path(os.environ["STAND_IN_NOTES"])


def main(verb: str, *arguments: str) -> int:
    """Carry out one call."""
    behaviour = dict(item.split("=") for item in os.environ.get("STAND_IN", "").split(",") if item).get(verb)
    before = NOTES.read_text().split() if NOTES.exists() else []
    with NOTES.open("a") as notes:
        notes.write(f"{verb}\n")
    if behaviour == "fail" or (behaviour == "fail-once" and verb not in before):
        print(f"the provider refuses {verb}")
        return 1
    if behaviour == "hang" or verb == "dashboard":
        time.sleep(600)
    if behaviour == "slow":
        time.sleep(0.5)
    if verb == "rsync-down":
        shutil.copytree(arguments[-2], arguments[-1], dirs_exist_ok=True)
    with NOTES.open("a") as notes:
        notes.write(f"{verb}-done\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
