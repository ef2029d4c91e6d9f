"""Plan a study at its fidelity, and make the data that a shortened one is trained on."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.part_of_data import parts_of, write_part
from orchestrator.plan.smoke_data import smoke_roots, write_smoke_data
from orchestrator.study.expand import expand
from orchestrator.study.fidelity import Fidelity, planned_at
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import StudySpec
from orchestrator.study.wording import counted
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
    planned = planned_at(study, study.fidelity, roots)
    notes = [MEANINGS[study.fidelity], *_coinciding(study, planned)]
    found = (Finding("note", loaded.where("fidelity"), note) for note in notes)
    return replace(loaded, study=planned, warnings=(*loaded.warnings, *found))


def _coinciding(study: StudySpec, planned: StudySpec) -> Iterator[str]:
    """Say how many students of a study are the same as others once their schedules are shortened."""
    full, left = len(expand(study.model_copy(update={"fidelity": "full"}))), len(expand(planned))
    if left < full:
        many = f"{study.fidelity}: of {counted(full, 'student')} {full - left} coincide with others"
        yield f"{many}: their schedules differ by less than shortened ones can"


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
