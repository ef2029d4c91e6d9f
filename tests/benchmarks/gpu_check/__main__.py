"""Measure on a GPU, within twelve minutes, what only a GPU can tell, and keep it in one JSON file.

Without a GPU the same code runs at toy size within three minutes. ``--render FILE`` writes the section of
docs/benchmarks.md from such a file.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.document import write_table
from tests.benchmarks.gpu_check.check import holds, part_record
from tests.benchmarks.gpu_check.machine_facts import facts
from tests.benchmarks.gpu_check.parts import AT_TOY_SIZE, PARTS, TWELVE_MINUTES, shares
from tests.benchmarks.gpu_check.section import section

FORMAT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the check and return 1 if something failed or lies beyond its bounds."""
    asked = parse(arguments)
    if asked.render:
        write_table(section(json.loads(asked.render.read_text(encoding="utf-8"))), "gpu")
        return 0
    device = torch.device(asked.device)
    record = {"format": FORMAT, "machine": facts(device), "seconds": asked.seconds, "parts": []}
    for part, seconds in shares(asked.seconds, asked.device):
        if asked.parts and part.name not in asked.parts:
            continue
        print(f"{part.name:<10} {part.what}, at most {seconds:.0f} s", flush=True)
        found = part_record(part, device.type, seconds)
        print(f"{'':<10} {line(found)}", flush=True)
        record["parts"].append(found)
        asked.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written: {asked.output}")
    return 0 if all(map(holds, record["parts"])) else 1


def line(found: dict[str, Any]) -> str:
    """Return how a part ended, for people."""
    missing = "" if found["not_run"] is None else f" of {len(found['rows']) + len(found['not_run'])}"
    why = f": {found['why']}" if found["why"] else ""
    beyond = [row["name"] for row in found["rows"] if not row.get("holds", True) or row.get("outcome") == "failed"]
    wrong = f"; WRONG: {'; '.join(beyond)}" if beyond else ""
    return f"{found['state']}{why}; {len(found['rows'])}{missing} rows in {found['seconds']:.0f} s{wrong}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_check", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, help="of all parts together (default 720, 170 on a CPU)")
    parser.add_argument(
        "--parts", nargs="+", choices=[part.name for part in PARTS], help="only these, with their shares"
    )
    parser.add_argument("--output", type=Path, default=Path("gpu-check.json"), help="default gpu-check.json")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="write docs/benchmarks.md from FILE; measure nothing"
    )
    asked = parser.parse_args(arguments)
    asked.seconds = asked.seconds or (AT_TOY_SIZE if asked.device == "cpu" else TWELVE_MINUTES)
    return asked


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s in all")
    sys.exit(code)
