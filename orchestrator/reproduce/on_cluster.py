"""Turn a reproduction into a submission to a temporary cluster, as ``run --on`` does with a study."""

import json
from collections.abc import Sequence

from orchestrator.clusters.cost import forecast
from orchestrator.clusters.description import Cluster
from orchestrator.clusters.session import ON_THE_HEAD
from orchestrator.core.errors import UserError
from orchestrator.reproduce.baseline_check import ACCEPT
from orchestrator.reproduce.cost import cost_of, total
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import RunPlan
from orchestrator.study.fidelity import Fidelity
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.wording import counted
from orchestrator.submit.identity import submission_key
from orchestrator.submit.job_request import JobRequest, shared_store
from orchestrator.submit.shipment import Shipment

COMMAND = "reproduce"
LONGEST_NAME = 100


def job_request_of(
    run_plan: RunPlan, targets: Sequence[str], cluster: Cluster, further: Sequence[str] = ()
) -> JobRequest:
    """Return the submission: the command with the same targets and options. The paper's studies are on the cluster already.

    The same trials for the same store are the same submission. ``further`` are options that change no trial.
    """
    place = shared_store(cluster.store)
    words = (*words_of(run_plan.options), *further)
    note = json.dumps({"command": COMMAND, "targets": list(targets), "options": list(words)}, indent=1)
    return JobRequest(
        key=submission_key(fingerprint(sorted(trial.id for trial in run_plan.trials)), place),
        study=name_of(targets, run_plan.options.fidelity),
        shipment=Shipment({f"{COMMAND}.json": note.encode()}),
        store=place,
        options=words,
        variables=cluster.environment,
        resources=ON_THE_HEAD,
        command=COMMAND,
        subjects=tuple(targets),
    )


def name_of(targets: Sequence[str], fidelity: Fidelity) -> str:
    """Return the name by which a submission is listed: shorter ones say so, also where the targets are many."""
    ending = "" if fidelity == "full" else f" --fidelity {fidelity}"
    return " ".join([COMMAND, *targets])[: LONGEST_NAME - len(ending)] + ending


def words_of(options: Options) -> tuple[str, ...]:
    """Return a reproduction's options as words of its command."""
    numbers = {"--gpus": options.gpus, "--seeds": options.seeds}
    words = [word for name, number in numbers.items() if number is not None for word in (name, str(number))]
    paper_options = [
        word for name, choice in options.paper_options.items() for word in ("--switch", f"{name}={choice}")
    ]
    accepting = [ACCEPT] if options.accept_teacher_ap else []
    return ("--fidelity", options.fidelity, *words, *paper_options, *accepting)


def further_words(*, fetch_data: bool, tracker_wait_s: float) -> tuple[str, ...]:
    """Return the words of options that change no trial."""
    return (*(["--fetch-data"] if fetch_data else []), "--tracker-wait", str(tracker_wait_s))


def require_room(run_plan: RunPlan, cluster: Cluster) -> None:
    """Raise ``UserError`` when a trial needs more GPUs than the cluster can have, before any machine costs money."""
    here = sum(group.gpus * group.max for group in cluster.workers)
    for job in run_plan.jobs.values():
        wanted = job.plan.study.scaling.most_workers
        if here and wanted > here:
            raise UserError(
                f"a trial of {job.name} takes {counted(wanted, 'GPU')}, {cluster.name} has {here}: give fewer --gpus"
            )


def said(run_plan: RunPlan, cluster: Cluster) -> list[str]:
    """Return notes to print before machines start: the cost, and parts of the description that have no effect."""
    hours = total(cost_of(trial, gpus=1) for trial in run_plan.trials).gpu_hours
    mirror = "reproduce keeps no mirror: results are in the cluster's storage, and fetched at the end"
    return [forecast(cluster, hours), *([mirror] if cluster.mirror else [])]
