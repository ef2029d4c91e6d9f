"""Try every folder's detector, each in a process of its own, and write the table: ``python -m tests.detectors_table``.

It takes half an hour of one core and 6 GB of memory. A file keeps the results, so that an interrupted run goes on; ``--only``
tries some folders again.
"""

import argparse
import gc
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from tests.detectors_table.chosen import Folder, chosen, forms, unlike_first
from tests.detectors_table.page import DOCS, RESULTS, Row, read, render, write
from tests.detectors_table.proof import CLASSES, prove
from trainers.detectors.explain import explanation
from trainers.schema import Detector
from trainers.schema.zoo import PREFIX, ZooConfig

LIMIT_S = 600.0
MEBIBYTE = 1024


def main(arguments: list[str] | None = None) -> int:
    """Try the folders that have not been tried, and write the table; return 1 while some are left."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    gc.freeze()  # each dataset collects garbage, a third of a second for what was imported and is never any
    known = read(options.results)
    for folder in unlike_first(chosen()):
        if folder.name in options.only or not (options.only or folder.name in known):
            known[folder.name] = _tried(folder, options.scratch)
            write(options.results, known)
            DOCS.write_text(render(DOCS.read_text(encoding="utf-8"), known), encoding="utf-8")
    return 0 if all(folder.config is None or folder.name in known for folder in chosen()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.detectors_table", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of results so far")
    parser.add_argument("--only", nargs="*", default=[], metavar="FOLDER", help="try these folders, again if need be")
    parser.add_argument(
        "--scratch", type=Path, default=None, help="where trials are put (default: the system's folder)"
    )
    return parser


def _tried(folder: Folder, scratch: Path | None) -> Row:
    """Return the row of a folder, from a process that is forked from this one, where everything is imported already."""
    assert folder.config is not None
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="detectors-") as place:
        child = context.Process(target=_answer, args=(folder, Path(place), sending))
        began = time.monotonic()
        child.start()
        sending.close()
        answer = _received(receiving) if receiving.poll(LIMIT_S) else {"reason": f"it took more than {LIMIT_S:g} s"}
        child.kill()
        child.join()
    seconds, memory = round(time.monotonic() - began), answer.pop("memory_mib", None)
    outcome = answer["reason"] or f"works {answer['form'] or ''}"
    print(f"{folder.name}: {outcome} ({seconds} s, {memory} MiB)", flush=True)
    return {"folder": folder.name, "config": folder.config.path, "form": {}, **answer}


def _received(receiving: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = receiving.recv()
    except EOFError:
        return {"reason": "its process ended without an answer"}
    return found


def _answer(folder: Folder, place: Path, sending: Any) -> None:
    config = folder.config
    assert config is not None
    answer: dict[str, Any] = {}
    for number, overrides in enumerate(forms(config)):
        reason = _why_not(config, overrides, place / str(number))
        answer = {"form": overrides, "reason": reason}
        if reason is None:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEBIBYTE
    sending.send({**answer, "memory_mib": peak})


def _why_not(config: ZooConfig, overrides: dict[str, Any], place: Path) -> str | None:
    try:
        prove(
            _detector(config, overrides, place),
            place,
            config.head,
            CLASSES[:1] if config.detector == "RPN" or config.num_classes == 1 else CLASSES,
        )
    except Exception as error:  # noqa: BLE001  whatever it is, it is the table's reason
        return _reason(error)
    return None


def _detector(config: ZooConfig, overrides: dict[str, Any], place: Path) -> Detector:
    """Return the detector in a form; changes of the model itself stand in a config of its own."""
    name, settings = PREFIX + config.path, {key: value for key, value in overrides.items() if key != "model"}
    if "model" in overrides:
        place.mkdir(parents=True)
        path = place / "changed.py"
        path.write_text(f"_base_ = {name!r}\nmodel = {overrides['model']!r}\n", encoding="utf-8")
        name = str(path)
    return Detector(config=name, weights="random", **settings)


def _reason(error: Exception) -> str:
    found: BaseException = error
    while found.__cause__ is not None and not str(found):
        found = found.__cause__
    return explanation(found)


if __name__ == "__main__":
    sys.exit(main())
