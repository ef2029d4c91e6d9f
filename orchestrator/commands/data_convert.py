"""Carry out ``stillhouse data convert``: write a dataset of any format as COCO JSON."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import UserError
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from orchestrator.dataset_check.convert import SECTION, Conversion, convert
from orchestrator.dataset_check.source import read_dataset
from orchestrator.study.shipped import study_file
from orchestrator.study.wording import counted
from trainers.schema import ShapesDataset

if TYPE_CHECKING:
    from trainers.schema.annotations import FileDataset

OVERWRITES = "add --force to overwrite, or name another folder with --to"


def convert_data(arguments: argparse.Namespace) -> int:
    """Write the files and print their names; raise ``UserError`` rather than overwrite."""
    if arguments.to is None:
        raise UserError("data convert needs --to DIR, the folder for the COCO files")
    if arguments.decode:
        raise UserError("--decode goes with data check")
    folder = Path(arguments.to)
    conversion = convert(_dataset(arguments), folder, copy_images=arguments.copy_images)
    existing = conversion.existing
    if existing and not arguments.force:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise UserError(f"{existing[0]} exists{more}: {OVERWRITES}")
    conversion.write()
    _tell(conversion, folder, as_json=arguments.json)
    return 0


def _dataset(arguments: argparse.Namespace) -> "FileDataset":
    path = study_file(arguments.study)
    if path.is_dir():
        from orchestrator.first_study.contents import spec_of_folder

        if arguments.sets:
            raise UserError(f"{path}: --set changes a study, and this is a folder: write a study with stillhouse init")
        return spec_of_folder(path)
    dataset = read_dataset(Path(arguments.study), arguments.sets).dataset
    if isinstance(dataset, ShapesDataset):
        raise UserError(f"{path}: shapes are drawn on the fly: there is no file to convert")
    return dataset


def _tell(conversion: Conversion, folder: Path, *, as_json: bool) -> None:
    counts = {split: {"images": images, "boxes": boxes} for split, (images, boxes) in conversion.counts.items()}
    if as_json:
        print_json(
            {"files": [str(path) for path in conversion.texts], "splits": counts, "left_out": conversion.remarks}
        )
        return
    for split, count in counts.items():
        print(
            printable(
                f"{folder / split}.json: {counted(count['images'], 'image')}, {counted(count['boxes'], 'box', 'boxes')}"
            )
        )
    for remark in conversion.remarks:
        print(printable(remark))
    print(printable(f"{folder / SECTION}: the dataset section of a study on these files; name it under base:"))
