"""Pack a study for a cluster: one file with its bases and ``--set`` merged, and local configs."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from orchestrator.core.errors import UserError
from orchestrator.study.inherit import StudySource, read_source
from orchestrator.study.location import KeyPath
from orchestrator.study.mapping import StudyMapping
from orchestrator.study.overrides import apply_sets
from orchestrator.study.paths import config_keys, place_keys, put, resolve_paths, value_at
from orchestrator.study.plain_yaml import as_yaml
from trainers.schema.config_files import read_config
from trainers.schema.user_file import read_bytes

STUDY, CONFIGS = "study.yaml", "configs"  # names in a shipment: the study, and the folder of its configs
LOCATED = ("/", "~/", "${")  # how a name begins that means the same wherever the study's file lies
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files make the same archive
LARGEST = 8 << 20  # bytes of all files


@dataclass(frozen=True)
class Shipment:
    """Hold files by relative name; ``study.yaml`` is one of them. Nothing else of this machine travels."""

    files: dict[str, bytes]

    def archive(self) -> bytes:
        """Return the files as a ZIP archive, the same bytes for the same files."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in sorted(self.files.items()):
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
        return buffer.getvalue()

    @property
    def digest(self) -> str:
        """Return the digest that identifies this shipment."""
        return hashlib.sha256(self.archive()).hexdigest()


def ship(origin: Path | StudyMapping, sets: Iterable[str] = ()) -> Shipment:
    """Pack a study, which loads without errors, with ``sets`` in it.

    Variables in paths stay, so that each machine fills in its own. A relative name of data or of a checkpoint becomes
    absolute: it is taken for a place that the cluster shares. Raises ``UserError`` for a config that needs other files.
    """
    sets = list(sets)
    written, resolved = (apply_sets(read_source(origin), sets) for _ in range(2))
    resolve_paths(resolved)
    files: dict[str, bytes] = {}
    for key in list(place_keys(written.data)):
        if isinstance(name := value_at(resolved.data, key), str) and name:
            put(written.data, key, _located(written, key))
    for key in list(config_keys(written.data)):
        if isinstance(name := value_at(resolved.data, key), str) and name:
            put(written.data, key, _add(files, Path(name)))
    files[STUDY] = as_yaml(written.data).encode()
    if sum(map(len, files.values())) > LARGEST:
        raise UserError(f"{origin}: the study and its configs are larger than {LARGEST >> 20} MiB: nothing is shipped")
    return Shipment(files)


def _located(source: StudySource, key: KeyPath) -> JsonValue:
    name = value_at(source.data, key)
    if not isinstance(name, str) or name.startswith(LOCATED):
        return name
    return os.path.normpath(source.locations.nearest(key).folder / name)


def _add(files: dict[str, bytes], config: Path) -> str:
    """Put a local detector config among the files and return its name there."""
    content = read_bytes(config, LARGEST)
    found = read_config(config)
    for line, message in found.problems:
        raise UserError(f"{line}: {message}")
    if others := [str(path) for path in found.files if path != config]:
        raise UserError(f"{config} reads other files, which are not shipped: write it out as one file ({others[0]})")
    if found.variables:
        raise UserError(
            f"{config} depends on environment variables, which are not shipped: {', '.join(found.variables)}"
        )
    name = f"{CONFIGS}/{hashlib.sha256(content).hexdigest()[:8]}/{config.name}"
    files[name] = content
    return name
