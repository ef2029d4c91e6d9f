"""Render a cluster's files, start its machines, or stop them."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_store, store_of
from orchestrator.core.errors import OperationError, UserError
from orchestrator.study.wording import counted

if TYPE_CHECKING:
    from orchestrator.clusters.description import Cluster
    from orchestrator.clusters.study_files import StudyFiles
    from orchestrator.plan.plan import Plan

log = logging.getLogger(__name__)

VERBS = ("render", "up", "down")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "verb", choices=VERBS, help="render: print or write the files; up: start the machines; down: stop them"
    )
    parser.add_argument("file", metavar="FILE", help="cluster description, as in configs/clusters")
    parser.add_argument("--output", metavar="DIR", help="render: output folder (default: print to stdout)")
    parser.add_argument("--study", metavar="STUDY", help="render: study for files that contain one")
    parser.add_argument(
        "--trust-config", action="store_true",
        help="render: allow the study its local detector configs and a program at its end; rendered commands say so too",
    )  # fmt: skip
    add_store(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from orchestrator.clusters.load import load_described
    from orchestrator.study.load import load_study

    described = load_described(arguments.file)
    cluster = described.cluster
    if arguments.study is not None:
        described.require_room(load_study(arguments.study, trust_python=arguments.trust_config).study)
    verbs = {"render": rendered, "up": brought_up, "down": taken_down}
    return verbs[arguments.verb](cluster, arguments)


def rendered(cluster: "Cluster", arguments: argparse.Namespace) -> int:
    """Print the cluster's files, or write them into a folder."""
    from orchestrator.clusters.render import render

    files = render(cluster, study_files(arguments))
    for name, text in files.items():
        if arguments.output is None:
            print(f"# ---- {name}\n{text}", end="")
        else:
            write(Path(arguments.output) / name, text)
    return 0


def study_files(arguments: argparse.Namespace) -> "StudyFiles | None":
    """Return the study that rendered files carry, with its bases and configs; ``None`` when none was named."""
    if arguments.study is None:
        return None
    from orchestrator.clusters.study_files import StudyFiles
    from orchestrator.submit.shipment import STUDY, ship

    texts = {name: content.decode() for name, content in ship(Path(arguments.study)).files.items()}
    text = texts.pop(STUDY)
    return StudyFiles(text, texts, ("--trust-config",) if arguments.trust_config else ())


def write(path: Path, text: str) -> None:
    """Write a rendered file and say where; raise ``OperationError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperationError(f"cannot write {path}: {error.strerror or error}") from error
    print(path)


def brought_up(cluster: "Cluster", arguments: argparse.Namespace) -> int:
    """Start the cluster's machines and leave them running."""
    from orchestrator.clusters.cost import said
    from orchestrator.clusters.files import launcher_of

    launcher = launcher_of(cluster, store_of(arguments))
    print(said(cluster))
    launcher.up()
    print(f"{cluster.name} is running and costs money: stillhouse cluster down {arguments.file} stops it")
    return 0


def taken_down(cluster: "Cluster", arguments: argparse.Namespace) -> int:
    """End the cluster's machines."""
    from orchestrator.clusters.files import launcher_of
    from orchestrator.clusters.lifetime import take_down

    take_down(launcher_of(cluster, store_of(arguments)), cluster.name)
    return 0


def estimated_on(cluster: "Cluster", plan: "Plan") -> str:
    """Return one sentence with the estimated time and cost of a plan's trials on a cluster."""
    from orchestrator.clusters.cost import forecast
    from orchestrator.plan.totals import totals
    from orchestrator.reproduce.cost import study_hours

    whole = totals(plan)
    bound = "at most " if whole.at_most else ""
    said = forecast(cluster, study_hours(plan), at_most=whole.at_most)
    return f"{cluster.name}: {said}; {bound}{counted(whole.trials_left, 'trial')} left"


def run_on(arguments: argparse.Namespace) -> int:
    """Run a study on a temporary cluster, for ``run --on``. Exit code 1 when a trial failed."""
    from orchestrator.api import Study
    from orchestrator.clusters.load import load_described
    from orchestrator.clusters.session import ON_THE_HEAD, ClusterSession, exit_code
    from orchestrator.core.findings import StudyErrors

    if arguments.address:
        raise UserError("--on starts a cluster, and --address uses a running one: give only one of them")
    if arguments.share or arguments.trials:
        raise UserError("--on trains the whole study on a cluster of its own: omit --share and --trials")
    described, store = load_described(arguments.on), store_of(arguments)
    cluster = described.cluster
    workers = [f"scaling.workers={arguments.workers}"] if arguments.workers else []
    study = Study.load(arguments.study, [*arguments.sets, *workers], trust_config=arguments.trust_config)
    described.require_room(study.loaded.study)
    plan = study.plan(store.root)
    errors = [finding for finding in plan.findings if finding.level == "error"]
    if errors:
        raise StudyErrors(errors)
    log.info("%s", estimated_on(cluster, plan))
    options = [
        "--tracker-wait",
        str(arguments.tracker_wait),
        *(["--random-weights"] if arguments.random_weights else []),
        *(["--images-changed"] if arguments.images_changed else []),
    ]
    job_request = study.job_request(
        cluster.store, options=options, variables=cluster.environment, resources=ON_THE_HEAD
    )
    store.prepare()
    end = ClusterSession(cluster, job_request, store, keep=arguments.keep).run()
    if arguments.json:
        from orchestrator.core.json_output import print_json

        print_json(end.to_json())
    return exit_code(end)
