"""Find images that are in both splits, or twice in one."""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from itertools import combinations

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.images import Digests
from orchestrator.dataset_check.split import Split


def check_duplicates(earlier: Split, split: Split, findings: Findings) -> None:
    """Note images of ``earlier`` in another split: by their path, and by their name alone as a warning."""
    real = cache(os.path.realpath)
    paths = {_real(str(image.file), real): image for image in earlier.images.values()}
    names = {image.file.name: image for image in earlier.images.values()}
    for image in split.images.values():
        if (same := paths.get(_real(str(image.file), real))) is not None:
            use = "trained on too" if earlier.name == "train" else f"in {earlier.name} too"
            findings.error("images in both splits", image.where, f"{image.file} is {use}: {same.where}")
        elif (same := names.get(image.file.name)) is not None:
            message = f"{image.file} has the name of {same.file}, in {earlier.name}"
            findings.warning("names in both splits", image.where, message)


def _real(path: str, real: Callable[[str], str]) -> str:
    """Return a path without links; of a file that is none, only its folder is looked at, once."""
    if os.path.islink(path):  # noqa: PTH114  of 100,000 images
        return real(path)
    return f"{real(os.path.dirname(path) or '.')}/{os.path.basename(path)}"  # noqa: PTH119, PTH120


def check_contents(splits: Sequence[Split], digests: Sequence[Digests], findings: Findings) -> None:
    """Note equal files: in two splits as errors, in one as warnings; ``digests`` are those of each split."""
    found = list(zip(splits, digests, strict=True))
    for (earlier, ours), (split, theirs) in combinations(found, 2):
        _check_across(earlier, ours, split, theirs, findings)
    for split, ours in found:
        _check_within(split, ours, findings)


def _check_across(earlier: Split, ours: Digests, split: Split, theirs: Digests, findings: Findings) -> None:
    first = _first_of_each(ours)
    for key, digest in theirs.items():
        duplicate, file = first.get(digest), split.images[key].file
        if duplicate is not None and earlier.images[duplicate].file != file:
            message = f"{file} has the content of {earlier.images[duplicate].file}, in {earlier.name}"
            findings.error("contents in both splits", split.images[key].where, message)


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
