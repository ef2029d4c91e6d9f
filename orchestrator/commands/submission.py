"""Share the arguments and output of the submission commands; cluster clients are loaded on demand."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

from orchestrator.commands.common import add_fidelity, add_json, add_mirror, add_store, add_study, worker_count
from orchestrator.core.errors import UserError
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from orchestrator.study.fidelity import Fidelity
from orchestrator.study.shipped import study_file

if TYPE_CHECKING:
    from orchestrator.api import Study
    from orchestrator.submit.job_request import JobRequest
    from orchestrator.submit.submissions import Submission, SubmissionResult, Submissions


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add where submissions are kept."""
    parser.add_argument(
        "--address", metavar="URL",
        help="dashboard of a Ray cluster, http://HOST:8265 (default: the service of $STILLHOUSE_URL, else the cluster "
        "of $RAY_API_SERVER_ADDRESS)",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that control how a job runs."""
    add_study(parser)
    add_fidelity(parser)
    parser.add_argument(
        "--workers", type=worker_count, metavar="N", help="workers per trial, instead of scaling.workers"
    )
    add_mirror(parser)
    parser.add_argument(
        "--python", metavar="PATH", help="the cluster's interpreter (default: $STILLHOUSE_PYTHON there)"
    )
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[],
        help="environment variable for the job, visible to everyone who sees the cluster (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--driver-on",
        metavar="NAME[=AMOUNT]",
        help="custom resource of the node that runs the driver (default: the head)",
    )
    add_cluster(parser)


def add_name(parser: argparse.ArgumentParser) -> None:
    """Add which submission is meant."""
    parser.add_argument("name", metavar="STUDY|ID", help="study file, or a submission id from submit or list")
    parser.add_argument(
        "--set", dest="sets", metavar="KEY=VALUE", action="append", default=[], help="same value as at submission"
    )
    parser.add_argument("--trust-config", action="store_true", help="same value as at submission")
    parser.add_argument("--workers", type=worker_count, metavar="N", help="same value as at submission")
    add_cluster(parser)


def job_request_of(arguments: argparse.Namespace) -> "JobRequest":
    """Return the job request that the arguments describe; it is planned, so that mistakes are found here."""
    from orchestrator.submit.job_request import resources_of, variables_of

    return study_of(arguments, arguments.study).job_request(
        arguments.store,
        options=("--mirror", arguments.mirror) if arguments.mirror else (),
        python=arguments.python,
        variables=variables_of(arguments.env),
        resources=resources_of(arguments.driver_on),
    )


def study_of(arguments: argparse.Namespace, path: str) -> "Study":
    """Load the study at ``path`` with the arguments' overrides."""
    from orchestrator.api import Study

    workers = [f"scaling.workers={arguments.workers}"] if arguments.workers else []
    return Study.load(path, [*arguments.sets, *workers], trust_config=arguments.trust_config)


def name_of(arguments: argparse.Namespace, submissions: "Submissions") -> str:
    """Return the id that the arguments mean, directly or by their study; raise ``UserError`` for a study that was never submitted."""
    from orchestrator.submit.identity import key_in

    if key_in(arguments.name):
        return str(arguments.name)
    study = study_of(arguments, require_study(arguments.name))
    request = study.job_request(arguments.store)
    key, known = submissions.key_of(request), submissions.all()
    if all(one.key != key for one in known):
        instead = _other_versions(study.name, request.study, known)
        raise UserError(f"{request.study} ({arguments.name}) was never submitted as it is given here: {instead}")
    return key


def _other_versions(full: str, given: str, known: "Iterable[Submission]") -> str:
    """Return how to ask for the submissions of a study that have another fidelity or other settings, or how to list all."""
    by_name = {one.study: one for one in known}
    names = {full: "full"} | {f"{full}-{fidelity}": fidelity for fidelity in get_args(Fidelity) if fidelity != "full"}
    found = [
        f"--set fidelity={fidelity} means {by_name[name].id} ({by_name[name].study}, {by_name[name].state})"
        for name, fidelity in names.items()
        if name in by_name and name != given
    ]
    if given in by_name:
        found.append(f"{by_name[given].id} ({by_name[given].state}) is one of its name with other settings")
    return "; ".join(found) or "stillhouse list shows all submissions"


def require_study(name: str) -> str:
    """Return the name of a study's file; raise ``UserError`` for anything else, also for the id of a submission."""
    from orchestrator.submit.identity import key_in

    if key_in(name):
        raise UserError(f"--trial needs the study's file, and {name} is the id of a submission")
    if not study_file(name).is_file():
        raise UserError(f"{name} is neither a study's file nor the id of a submission")
    return name


def require_cluster(arguments: argparse.Namespace, purpose: str, instead: str) -> None:
    """Raise ``UserError`` where no cluster is named; ``instead`` says what to do about a run that is no submission."""
    from orchestrator.submit.connect import NO_CLUSTER, names_cluster

    if not names_cluster(arguments.address):
        raise UserError(f"{purpose}: {NO_CLUSTER}; {instead}")


def submissions_of(arguments: argparse.Namespace) -> "Submissions":
    """Return whom to ask."""
    from orchestrator.submit.connect import connect
    from orchestrator.submit.job_request import shared_store

    return connect(arguments.address, shared_store(arguments.store))


def print_result(result: "SubmissionResult", *, as_json: bool) -> None:
    """Print the outcome of a submit request."""
    found = result.submission
    if as_json:
        print_json(found.to_json() | {"new": result.new})
    elif result.new and found.state == "queued":  # by a service
        print(printable(f"{found.id}: queued {found.study}: {found.reason}; stillhouse logs -f {found.id} follows it"))
    elif result.new:
        print(printable(f"{found.id}: submitted {found.study}; stillhouse logs -f {found.id} follows it"))
    else:
        print(printable(f"{found.id}: nothing to start, it is {found.state} ({found.reason})"))


def print_submissions(found: "Iterable[Submission]") -> None:
    """Print a row for each submission."""
    from orchestrator.reports.fitting import TableColumn
    from orchestrator.reports.terminal_table import print_table

    columns = (TableColumn(""), TableColumn("", states=True), TableColumn("", wraps=True),
               TableColumn("", wraps=True, whole=True))  # fmt: skip
    print_table(columns, [(one.id, str(one.state), one.study, one.reason) for one in found])
