"""Make planned trials of complete specs: their identities, directories, states and files."""

from pydantic import JsonValue

from orchestrator.core.store import Store
from orchestrator.plan.estimate import estimate
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial, Role, status_of
from orchestrator.plan.weights import CheckpointDigests, config_digest, config_inputs
from orchestrator.study.fingerprint import PartTexts, parts_fingerprint, trial_parts
from trainers.schema import TrialSpec


def identity_parts(
    spec: TrialSpec,
    digest: str,
    files: CheckpointDigests,
    texts: PartTexts | None = None,
    *,
    init_digest: str | None = None,
    teacher_digest: str | None = None,
) -> dict[str, str]:
    """Return the parts of a trial's identity; ``digest`` is the dataset's, the others are those of weights."""
    return trial_parts(
        spec,
        texts=texts,
        dataset_digest=digest,
        init_digest=init_digest,
        teacher_digest=teacher_digest,
        student_config_digest=config_digest(spec.student),
        teacher_config_digest=config_digest(spec.teacher.detector) if spec.teacher else None,
        start_digest=files.of_start(spec.student.detector_weights),
    )


def make_trial(
    role: Role,
    spec: TrialSpec,
    params: dict[str, JsonValue],
    store: Store,
    parts: dict[str, str],
    files: dict[str, str],
) -> PlannedTrial:
    """Return the trial of a spec and the parts of its identity; ``files`` are the digests of its checkpoints."""
    trial_id = parts_fingerprint(parts)[:ID_LENGTH]
    directory = store.trial_dir(trial_id)
    detectors = [spec.student, *([spec.teacher.detector] if spec.teacher else [])]
    inputs = config_inputs(*detectors) | files
    return PlannedTrial(
        trial_id, role, spec, params, directory, status_of(directory), estimate(spec, directory), inputs
    )
