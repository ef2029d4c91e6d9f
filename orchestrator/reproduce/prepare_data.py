"""Make the data that a shortened reproduction runs on: drawn images, or subsets of the local data."""

from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.reproduce.data.part_of_data import parts_of, write_part
from orchestrator.reproduce.data.smoke_data import write_smoke_data
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import data_folder
from orchestrator.reproduce.tables import Suite, paper_dir, study_file
from orchestrator.study.load import load_study
from orchestrator.study.schema import StudySpec
from trainers.schema import CocoDataset, VocDataset


def prepare_data(suites: tuple[Suite, ...], options: Options, store: Store) -> None:
    """Write the rows' missing data for this fidelity; nothing at full length."""
    try:
        if options.fidelity == "smoke":
            write_smoke_data(data_folder(store))
        elif options.fidelity == "short":
            _write_parts(suites, data_folder(store))
    except (OSError, ValueError, KeyError) as error:
        raise OperationError(f"cannot make the data of fidelity {options.fidelity}: {error}") from error


def _write_parts(suites: tuple[Suite, ...], folder: Path) -> None:
    for study in _studies(suites):
        dataset = study.dataset
        if isinstance(dataset, CocoDataset | VocDataset) and Path(dataset.root).is_dir():
            for target in parts_of([study], folder).values():
                write_part(dataset, target)


def _studies(suites: tuple[Suite, ...]) -> list[StudySpec]:
    files = [study_file(row.study) for suite in suites for row in suite.rows if row.study]
    weighed = any(row.weights for suite in suites for row in suite.rows)
    named = [*files, paper_dir() / "parts" / "weights_coco.yaml" if weighed else None]
    return [load_study(file).study for file in dict.fromkeys(named) if file]
