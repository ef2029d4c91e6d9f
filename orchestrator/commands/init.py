"""Write a study for a folder of images and annotations."""

import argparse
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.commands.repeat import print_next
from orchestrator.core.errors import UserError
from orchestrator.core.printable import printable
from orchestrator.study.wording import counted
from trainers.schema.dataset import SplitName

KNOWN = "COCO JSON (also Roboflow, Label Studio, labelme), Pascal VOC XML (labelImg, CVAT), YOLO text labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help=f"folder with images and annotations: {KNOWN}")
    parser.add_argument("--to", metavar="FILE", default="study.yaml", help="file to write (default: study.yaml)")
    parser.add_argument("--name", help="the study's name (default: the folder's)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(arguments: argparse.Namespace) -> int:
    """Write the study and name the next steps."""
    from orchestrator.first_study.choices import choose
    from orchestrator.first_study.contents import contents_of
    from orchestrator.first_study.editor import editor_line
    from orchestrator.first_study.files import look_into
    from orchestrator.first_study.recognise import recognise
    from orchestrator.first_study.text import study_text
    from orchestrator.plan.machine import this_machine

    target, root = Path(arguments.to), Path(arguments.folder)
    folder = look_into(root)
    if os.path.exists(target) and not arguments.force:  # noqa: PTH110
        raise UserError(f"{target} exists: name another file with --to, or add --force")
    found = recognise(folder)
    contents = contents_of(found, root)
    choices = choose(contents, this_machine())
    text = study_text(arguments.name or name_of(root), _relative(root, target), found, contents, choices)
    try:
        target.write_text(f"{editor_line(target)}\n{text}", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from error
    print(printable(_told(found.what, contents.images, contents.names)))
    for remark in found.remarks:
        print(printable(f"note: {remark}"))
    print(printable(f"{target}: written"))
    print_next(shlex.join(["stillhouse", "check", str(target)]))
    return 0


def name_of(root: Path) -> str:
    """Return a folder's name as a study may be called."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", root.resolve().name).strip("-.")[:100] or "study"


def _relative(root: Path, target: Path) -> str:
    """Return the dataset's folder as the study names it: relative to the study where it lies below or beside it."""
    relative = os.path.relpath(root.resolve(), Path(os.path.realpath(target)).parent)
    return str(root.resolve()) if relative.startswith("../..") else relative


def _told(what: str, images: Mapping[SplitName, int], names: Sequence[str]) -> str:
    parts = ", ".join(f"{counted(count, 'image')} in {split}" for split, count in images.items())
    return f"{what}: {parts}, {counted(len(names), 'class', 'classes')}"
