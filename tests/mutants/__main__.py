"""Plant faults and count those that the tests beside them see: ``python -m tests.mutants`` prints a table by area.

Exit code 1 when fewer than 92 % of all, or 85 % of one area, were seen of those that are not judged equivalent.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from tests.mutants.areas import AREAS, all_faults, area_of, sample, sources
from tests.mutants.campaign import Campaign, Nurseries, change_of
from tests.mutants.copy import copied
from tests.mutants.faults import Fault
from tests.mutants.ledger import EQUIVALENT, Ledger, Outcome, judgements, table
from tests.mutants.reach import Reach

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".mutants"
SEED, COUNT = 23, 312
OF_ALL, OF_AN_AREA = 0.92, 0.85


def main() -> int:
    """Judge the faults that have no outcome yet, and print the table."""
    given = arguments()
    chosen = [fault for fault in sampled(given.seed, given.count) if area_of(fault.file) in given.areas]
    ledger = Ledger(FOLDER / f"seed-{given.seed}.jsonl")
    due = [fault for fault in chosen if is_due(fault, ledger, given)]
    if given.list:
        for fault in due:
            print(
                f"{fault.id} {fault.file}:{fault.line} {fault.kind}: {change_of(fault, (ROOT / fault.file).read_text())}"
            )
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        run([fault for fault in due if not fault.file.endswith(".js")], ledger, Path(folder), given.minutes)
        run_pages([fault for fault in due if fault.file.endswith(".js")], ledger, Path(folder))
    return verdict([ledger.outcomes[fault.id] for fault in chosen if fault.id in ledger.outcomes])


def sampled(seed: int, count: int) -> list[Fault]:
    """Return the faults of a sample of this checkout."""
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in sources(ROOT)}
    return sample(all_faults(texts), seed, count, lambda fault: fault.is_valid(texts[fault.file]))


def arguments() -> argparse.Namespace:
    """Return the command line's choices."""
    names = [name for name, _ in AREAS]
    parser = argparse.ArgumentParser(description="Plant faults, and count those that the tests beside them see.")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    parser.add_argument("--count", type=int, default=COUNT, help="of faults, the same number in each area")
    parser.add_argument("--areas", nargs="+", choices=names, default=names, metavar="AREA", help="only these")
    parser.add_argument("--again", action="store_true", help="judge faults anew that no test has seen")
    parser.add_argument("--ids", nargs="+", help="judge these anew")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no fault after them; a later call goes on")
    parser.add_argument("--list", action="store_true", help="list the faults that are due, and plant none")
    return parser.parse_args()


def is_due(fault: Fault, ledger: Ledger, given: argparse.Namespace) -> bool:
    """Tell whether a fault is to be judged in this call."""
    if given.ids:
        return fault.id in given.ids
    known = ledger.outcomes.get(fault.id)
    return known is None or (given.again and not known.is_killed)


def run(due: list[Fault], ledger: Ledger, folder: Path, minutes: float) -> None:
    """Judge faults of Python modules, the tests traced first that have changed."""
    if not due:
        return
    until = time.monotonic() + 60 * minutes
    copy = copied(ROOT, folder / "copy")
    with Nurseries(copy, folder) as nurseries:
        campaign = Campaign(copy, Reach(copy, FOLDER), nurseries, ledger)
        for _, faults in groupby(due, key=lambda fault: area_of(fault.file)):
            judge(list(faults), campaign, until)


def judge(due: list[Fault], campaign: Campaign, until: float) -> None:
    """Judge the faults of one area until the time is up."""
    if time.monotonic() > until:
        return
    for sentence in campaign.trace(due):
        print(sentence, flush=True)
    for fault in due:
        if time.monotonic() < until:
            tell(campaign.judge(fault))


def run_pages(due: list[Fault], ledger: Ledger, folder: Path) -> None:
    """Judge faults of scripts, in a copy of their own."""
    if not due:
        return
    copy = copied(ROOT, folder / "pages")
    wanted = folder / "faults.jsonl"
    wanted.write_text("".join(json.dumps(asdict(fault)) + "\n" for fault in due), encoding="utf-8")
    command = [sys.executable, "-m", "tests.mutants.pages", wanted, ledger.path]
    subprocess.run(command, cwd=copy, stdout=subprocess.DEVNULL, check=False)
    ledger.read()
    for fault in due:
        if fault.id in ledger.outcomes:
            tell(ledger.outcomes[fault.id])


def tell(outcome: Outcome) -> None:
    """Print an outcome: a line for each fault."""
    print(f"{outcome.outcome:9}{outcome.id} {outcome.where} {outcome.kind}: {outcome.change}", flush=True)
    if outcome.by:
        print(f"         {outcome.seconds:5.1f} s  {outcome.by}", flush=True)


def verdict(outcomes: list[Outcome]) -> int:
    """Print the faults that no test has seen, with their judgements, and the table; return the exit code."""
    judged = judgements()
    for one in outcomes:
        if not one.is_killed:
            word, reason = judged.get(one.id, ("unjudged", one.change))
            print(f"{one.id} {one.where} {one.kind}: {word}: {reason}")
    print(table(outcomes, judged))
    counted = [one for one in outcomes if one.is_killed or judged.get(one.id, ("",))[0] != EQUIVALENT]
    areas = {one.area for one in counted}
    enough = all(share([one for one in counted if one.area == area]) >= OF_AN_AREA for area in areas)
    return 0 if enough and share(counted) >= OF_ALL else 1


def share(outcomes: list[Outcome]) -> float:
    """Return the share of killed faults."""
    return sum(one.is_killed for one in outcomes) / len(outcomes) if outcomes else 1.0


if __name__ == "__main__":
    sys.exit(main())
