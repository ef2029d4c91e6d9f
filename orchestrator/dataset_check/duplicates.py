"""Find images that are in both splits, or twice in one."""

import os
from collections.abc import Hashable, Mapping

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.images import Digests
from orchestrator.dataset_check.split import Split


def check_duplicates(train: Split, val: Split, findings: Findings) -> None:
    """Note validation images that training sees: by their path, and by their name alone as a warning."""
    paths = {os.path.realpath(image.file): image for image in train.images.values()}
    names = {image.file.name: image for image in train.images.values()}
    for image in val.images.values():
        if (same := paths.get(os.path.realpath(image.file))) is not None:
            findings.error("images in both splits", image.where, f"{image.file} is trained on too: {same.where}")
        elif (same := names.get(image.file.name)) is not None:
            findings.warning("names in both splits", image.where, f"{image.file} has the name of {same.file}, in train")


def check_contents(train: Split, val: Split, digests: tuple[Digests, Digests], findings: Findings) -> None:
    """Note equal files: in both splits as errors, in one as warnings; ``digests`` are of train and val."""
    first = _first_of_each(digests[0])
    for key, digest in digests[1].items():
        duplicate = first.get(digest)
        if duplicate is not None and train.images[duplicate].file != val.images[key].file:
            file, other = val.images[key].file, train.images[duplicate].file
            findings.error(
                "contents in both splits", val.images[key].where, f"{file} has the content of {other}, in train"
            )
    for split, found in zip((train, val), digests, strict=True):
        _check_within(split, found, findings)


def _check_within(split: Split, digests: Digests, findings: Findings) -> None:
    first = _first_of_each(digests)
    for key, digest in digests.items():
        duplicate = split.images[first[digest]]
        if (
            first[digest] != key and duplicate.file != split.images[key].file
        ):  # one file under two ids is told by the reader
            message = f"{split.images[key].file} has the content of {duplicate.file}"
            findings.warning("equal images in a split", split.images[key].where, message)


def _first_of_each(digests: Mapping[Hashable, str]) -> dict[str, Hashable]:
    first: dict[str, Hashable] = {}
    for key, digest in digests.items():
        first.setdefault(digest, key)
    return first
