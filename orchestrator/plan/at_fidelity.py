"""Plan a study at its fidelity, and make the data that a shortened one is trained on."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.part_of_data import parts_of, write_part
from orchestrator.plan.smoke_data import smoke_roots, write_smoke_data
from orchestrator.study.fidelity import Fidelity, planned_at
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import StudySpec
from trainers.schema import CocoDataset, VocDataset

MEANINGS = {
    "short": "short: a third of each schedule; the numbers are not those of the study, its order of points may be",
    "smoke": "smoke: two steps prove that the study runs, and its numbers mean nothing",
}


def data_folder(store: Store) -> Path:
    """Return where drawn and cut datasets are kept."""
    return store.root / "data"


def at_its_fidelity(loaded: LoadedStudy, store: Store) -> LoadedStudy:
    """Return a study as it is planned: at full length as it is, else on the drawn or cut data of the store."""
    study, folder = loaded.study, data_folder(store)
    if study.fidelity == "full":
        return loaded
    roots = smoke_roots(folder) if study.fidelity == "smoke" else parts_of([study], folder)
    note = Finding("note", loaded.where("fidelity"), MEANINGS[study.fidelity])
    return replace(loaded, study=planned_at(study, study.fidelity, roots), warnings=(*loaded.warnings, note))


def prepare_data(studies: Iterable[StudySpec], fidelity: Fidelity, store: Store) -> None:
    """Write the data that these studies lack at a fidelity: drawn images, or parts of local datasets; at full length nothing.

    Raises ``OperationError`` when it cannot be made.
    """
    folder = data_folder(store)
    try:
        if fidelity == "smoke":
            write_smoke_data(folder)
        elif fidelity == "short":
            for study in studies:
                _write_part(study, folder)
    except (OSError, ValueError, KeyError) as error:
        raise OperationError(f"cannot make the data of fidelity {fidelity}: {error}") from error


def _write_part(study: StudySpec, folder: Path) -> None:
    dataset = study.dataset
    if isinstance(dataset, CocoDataset | VocDataset) and Path(dataset.root).is_dir():
        for target in parts_of([study], folder).values():
            write_part(dataset, target)
