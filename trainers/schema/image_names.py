"""Find the files that the image names of a COCO file mean."""

import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from trainers.schema.file_names import NameRefused, require_plain, require_relative
from trainers.schema.tree import Tree, without_repeats


@dataclass(frozen=True, slots=True)
class Located:
    """Hold a resolved name: its file's path, and whether it exists; or why it is ``refused``, a phrase."""

    path: str
    there: bool = True
    refused: str | None = None


def locate(root: str, folder: str, names: Sequence[str], tree: Tree | None = None) -> list[Located]:
    """Return the file of each name in ``folder`` below ``root``, in order; ``tree``, if given, lists folders below ``root``.

    A name whose file does not exist is also tried with Windows' separators, without a repeated folder, with other accents
    and letter case, and with its ``%20`` read as a space. It is taken for a file that exactly one name means.
    """
    return _NameSearch(root, folder, tree or Tree(root)).locate(names)


class _NameSearch:
    def __init__(self, root: str, folder: str, tree: Tree) -> None:
        self._before, self._folder, self._tree = f"{Path(root)}/", folder, tree
        self._top = f"{os.path.normpath(Path(root).absolute()).rstrip('/')}/"
        self._around = posixpath.normpath(posixpath.join(self._top, folder))

    def locate(self, names: Sequence[str]) -> list[Located]:
        plain = {name: self._plain(name) for name in dict.fromkeys(names)}
        exact = {path for path in plain.values() if isinstance(path, str) and self._tree.has(path)}
        meant = self._meant({name: path for name, path in plain.items() if path not in exact}, exact)
        return [self._located(plain[name], meant.get(name), exact) for name in names]

    def _located(self, plain: str | NameRefused, meant: str | None, exact: set[str]) -> Located:
        if meant is None and isinstance(plain, NameRefused):
            return Located("", there=False, refused=str(plain))
        path = meant or str(plain)
        return Located(self._before + path, there=meant is not None or path in exact)

    def _plain(self, name: str) -> str | NameRefused:
        """Return the path below the root that a name has when it is taken literally."""
        name = name.removeprefix(self._top)
        try:
            require_plain(name)
            require_relative(name)
            return self._below(name)
        except NameRefused as error:
            rest = self._rest_that_exists(name.replace("\\", "/"))
            return NameRefused(f"{error} ({rest!a} exists)") if rest else error

    def _rest_that_exists(self, name: str) -> str | None:
        """Return the end of a name by which its file would be found in the folder."""
        parts = name.split("/")
        ends = ("/".join(parts[place:]) for place in range(1, len(parts)))
        return next((end for end in ends if end and self._tree.has(posixpath.normpath(f"{self._folder}/{end}"))), None)

    def _below(self, name: str) -> str:
        path = posixpath.normpath(f"{self._folder}/{name}")
        if path == ".." or path.startswith(("../", "/")):
            raise NameRefused("does not lie below the dataset's root")
        return path

    def _meant(self, lost: dict[str, str | NameRefused], exact: set[str]) -> dict[str, str]:
        """Return the files that lost names mean: those that exist, that no other name means, and that are the only one."""
        found: dict[str, str] = {}
        for name, plain in lost.items():
            if isinstance(plain, str):
                hits = {hit for path in self._variants(name) if (hit := self._tree.find(path))} - exact
                if len(hits) == 1:
                    found[name] = hits.pop()
        times = Counter(found.values())
        return {name: hit for name, hit in found.items() if times[hit] == 1}

    def _variants(self, name: str) -> Iterator[str]:
        forms = dict.fromkeys((name, name.replace("\\", "/"), unquote(name), unquote(name).replace("\\", "/")))
        for form in forms:
            for path in (form, *without_repeats(form, self._around)):
                yield from self._if_below(path)
            yield posixpath.normpath(form)  # relative to the root

    def _if_below(self, name: str) -> Iterator[str]:
        try:
            yield self._below(name)
        except NameRefused:
            return
