"""Make the data that a shortened reproduction runs on: drawn images, or subsets of the local data."""

from orchestrator.core.store import Store
from orchestrator.plan.at_fidelity import prepare_data as prepare_data_of
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.tables import Suite, paper_dir, study_file
from orchestrator.study.load import load_study
from orchestrator.study.schema import StudySpec


def prepare_data(suites: tuple[Suite, ...], options: Options, store: Store) -> None:
    """Write the rows' missing data for this fidelity; nothing at full length."""
    prepare_data_of(_studies(suites) if options.fidelity == "short" else [], options.fidelity, store)


def _studies(suites: tuple[Suite, ...]) -> list[StudySpec]:
    files = [study_file(row.study) for suite in suites for row in suite.rows if row.study]
    weighed = any(row.weights for suite in suites for row in suite.rows)
    named = [*files, paper_dir() / "parts" / "weights_coco.yaml" if weighed else None]
    return [load_study(file).study for file in dict.fromkeys(named) if file]
