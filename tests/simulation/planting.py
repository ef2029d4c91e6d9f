"""Change a line of the product in the memory of one process, so that it has a known fault."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


@dataclass(frozen=True)
class Plant:
    """Hold a fault: in ``module`` the text ``old``, which is there once, becomes ``new``."""

    name: str
    about: str
    world: str
    module: str
    old: str
    new: str

    def planted(self, source: str) -> str:
        """Return the module's source with the fault; raise ``ValueError`` where its place is gone."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.module} has {self.old!r} {source.count(self.old)} times")
        return source.replace(self.old, self.new)


class FaultyLoader(SourceFileLoader):
    """Load a module with a fault; nothing of it is kept on disk."""

    def __init__(self, plant: Plant, path: str) -> None:
        super().__init__(plant.module, path)
        self._plant = plant

    def get_code(self, fullname: str) -> CodeType:
        """Return the code with the fault."""
        source = self.get_data(self.path).decode()
        found: CodeType = compile(self._plant.planted(source), self.path, "exec")
        return found


class Finder(MetaPathFinder):
    """Find the one module that has a fault."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's own spec, with a loader that plants the fault."""
        if fullname != self._plant.module:
            return None
        found = PathFinder.find_spec(fullname, path)
        if found is not None and found.origin is not None:
            found.loader = FaultyLoader(self._plant, found.origin)
        return found


def plant(fault: Plant) -> None:
    """Give this process a fault; its module must not have been imported yet."""
    assert fault.module not in sys.modules, f"{fault.module} is loaded already"
    sys.meta_path.insert(0, Finder(fault))
