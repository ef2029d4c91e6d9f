"""Repeat a table of the paper, and compare each number.

Plans the table's trials, runs those that are missing, and judges each number against the printed one.
"""

import argparse
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from orchestrator.commands.common import add_json, add_store, add_tracker_wait, positive, store_of
from orchestrator.commands.figure import ENDINGS, scores
from orchestrator.commands.predict import ids
from orchestrator.core.errors import UserError
from orchestrator.core.exit_codes import FAILED, OK
from orchestrator.core.json_output import print_json
from orchestrator.core.outcome import ExitStatus
from orchestrator.core.printable import printable
from orchestrator.study.fidelity import Fidelity

if TYPE_CHECKING:
    from orchestrator.core.store import Store
    from orchestrator.plan.machine import Machine
    from orchestrator.reproduce.execute import PlanRunner, ReproductionResult
    from orchestrator.reproduce.options import Options
    from orchestrator.reproduce.plan import RunPlan
    from orchestrator.reproduce.results import Results
    from orchestrator.results.rank_correlation import RankAgreement

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets", metavar="TARGET", nargs="+", help="a table (A1 to A6, main), all of them (all), another suite "
        "(bccd, ablations), or one row by its study's name",
    )  # fmt: skip
    parser.add_argument("--gpus", type=positive, metavar="N", help="GPUs per trial (default: all GPUs of this machine)")
    parser.add_argument(
        "--seeds", type=positive, metavar="K", help="number of seeds per student (default: from its study)"
    )
    parser.add_argument(
        "--fidelity", choices=get_args(Fidelity), default="full",
        help="short: a third of the schedules on a quarter of the data; smoke: two steps, to prove that it runs",
    )  # fmt: skip
    parser.add_argument(
        "--switch", dest="paper_options", metavar="NAME=CHOICE", action="append", default=[],
        help="choose another answer to an open question of the paper; --plan lists them (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--accept-teacher-ap", action="store_true",
        help="continue with public weights even if their measured AP matches no published value",
    )  # fmt: skip
    parser.add_argument("--gpu-price", type=float, metavar="USD", help="price of a GPU hour, used by --plan")
    parser.add_argument("--fetch-data", action="store_true", help="download COCO or VOC first if they are missing")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--plan", action="store_true", help="show the work without doing it")
    only.add_argument("--verdict", action="store_true", help="judge the existing results without running anything")
    only.add_argument(
        "--figures", metavar="DIR", type=Path,
        help="draw figures of finished trials into a folder: AP over epochs, and detections of teacher and "
        "students on the same images; trains nothing",
    )  # fmt: skip
    only.add_argument(
        "--on", metavar="FILE", help="start the cluster that FILE describes, run there, fetch results, and stop it"
    )
    parser.add_argument("--keep", action="store_true", help="with --on: leave the cluster running")
    add_style(parser)
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="address of a running Ray cluster (default: start a local one)"
    )
    add_store(parser)
    add_json(parser)
    add_tracker_wait(parser)


def add_style(parser: argparse.ArgumentParser) -> None:
    """Add how ``--figures`` draws."""
    parser.add_argument(
        "--figure-format",
        choices=[ending[1:] for ending in ENDINGS],
        default="png",
        help="format of --figures (default: png)",
    )
    parser.add_argument("--images", metavar="N", type=positive, default=2, help="number of images in --figures")
    parser.add_argument("--image-ids", metavar="ID,ID", type=ids, help="ids of the images to show, in the dataset")
    parser.add_argument(
        "--thresholds", metavar="S,S", type=scores, default=(0.1, 0.3, 0.5),
        help="with --figures: minimum scores, one row of boxes each (default: 0.1,0.3,0.5)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int | ExitStatus:
    """Run the requested action; exit code 1 when a trial failed, weights were wrong, or MLflow lacks something."""
    from orchestrator.reproduce.plan import make_run_plan

    options, store = options_of(arguments), store_of(arguments)
    if arguments.plan:
        return show_plan(make_run_plan(arguments.targets, options, store), arguments)
    if arguments.verdict:
        run_plan = make_run_plan(arguments.targets, options, store)
        show_comparisons(run_plan, store, arguments)
        return 0
    if arguments.figures:
        return show_figures(make_run_plan(arguments.targets, options, store), store, arguments)
    if arguments.on:
        return reproduce_on(arguments, options, store)
    return reproduce(arguments, options, store)


def options_of(arguments: argparse.Namespace) -> "Options":
    """Return the command's options.

    Without ``--gpus`` a run uses this machine's GPUs, and a plan uses the studies' settings.
    """
    from orchestrator.plan.machine import this_machine
    from orchestrator.reproduce.options import Options

    gpus = arguments.gpus
    if gpus is None and not (arguments.plan or arguments.address or arguments.on):
        here = max(1, this_machine().gpus)
        gpus = next(number for number in (8, 4, 2, 1) if number <= here)
    paper_options = dict(map(option, arguments.paper_options))
    return Options(arguments.fidelity, gpus, arguments.seeds, paper_options, arguments.accept_teacher_ap)


def option(text: str) -> tuple[str, str]:
    """Return the name and the choice of one ``--switch``."""
    name, equals, choice = text.partition("=")
    if not (name and equals and choice):
        raise UserError(f"--switch {text}: expected NAME=CHOICE, as in pkd_weight=6")
    return name, choice


def show_plan(run_plan: "RunPlan", arguments: argparse.Namespace) -> int:
    """Print the plan; data, GPU and network are not needed."""
    from orchestrator.reproduce.cost import gpu_price
    from orchestrator.reproduce.plan_table import plan_content, print_plan

    price = gpu_price() if arguments.gpu_price is None else arguments.gpu_price
    if arguments.json:
        print_json(plan_content(run_plan, price))
    else:
        print_plan(run_plan, price)
    return 0


def show_comparisons(run_plan: "RunPlan", store: "Store", arguments: argparse.Namespace) -> None:
    """Print measured results beside the paper's."""
    from orchestrator.reproduce.report import comparison_content, print_comparisons
    from orchestrator.reproduce.results import judged, read_all

    results = read_all(run_plan, store)
    rows = judged(run_plan, results)
    ranking = ranking_of(run_plan, results, store, arguments)
    if arguments.json:
        print_json(comparison_content(run_plan, rows, results, ranking))
    else:
        print_comparisons(run_plan, rows, results, ranking)


def show_figures(run_plan: "RunPlan", store: "Store", arguments: argparse.Namespace) -> int:
    """Draw finished trials and list missing ones; exit code 1 if there was nothing to draw."""
    from orchestrator.reports.predict import Wanted
    from orchestrator.reproduce.figures import Style, draw_figures
    from orchestrator.reproduce.report import MEANINGLESS
    from orchestrator.reproduce.results import read_all
    from trainers.schema.predictions import Limits

    if run_plan.options.fidelity in MEANINGLESS:
        log.warning(MEANINGLESS[run_plan.options.fidelity])
    wanted = Wanted(image_ids=arguments.image_ids, limits=Limits(images=arguments.images), curves=False)
    style = Style(arguments.figures, arguments.figure_format, wanted, arguments.thresholds)
    drawn = draw_figures(run_plan, read_all(run_plan, store), store, style)
    for line in drawn.missing:
        log.warning("not drawn: %s", line)
    if arguments.json:
        files = [{"file": str(path), "shows": shows} for path, shows in drawn.files.items()]
        print_json({"fidelity": run_plan.options.fidelity, "figures": files, "missing": list(drawn.missing)})
    else:
        for path, shows in drawn.files.items():
            print(f"{path}: {printable(shows)}")
    return 0 if drawn.files else 1


def ranking_of(
    run_plan: "RunPlan", results: "Results", store: "Store", arguments: argparse.Namespace
) -> "RankAgreement | None":
    """Return how a short reproduction ranks its rows beside a full one in the same store; ``None`` for any other."""
    from dataclasses import replace

    from orchestrator.reproduce.agreement import agreement
    from orchestrator.reproduce.plan import make_run_plan
    from orchestrator.reproduce.results import read_all

    if run_plan.options.fidelity != "short":
        return None
    full = make_run_plan(arguments.targets, replace(run_plan.options, fidelity="full"), store)
    return agreement((run_plan, results), (full, read_all(full, store)))


def reproduce(arguments: argparse.Namespace, options: "Options", store: "Store") -> ExitStatus:
    """Run missing trials and print the verdicts."""
    from orchestrator.core import ray_environment
    from orchestrator.execution.interruption import raise_interrupt
    from orchestrator.execution.study_run import writing
    from orchestrator.reproduce.execute import execute
    from orchestrator.reproduce.plan import make_run_plan
    from orchestrator.reproduce.prepare_data import prepare_data

    machine = machine_at(arguments.address)
    first = make_run_plan(arguments.targets, options, store, machine)
    if arguments.fetch_data:
        fetch_missing_data(first)
    prepare_data(first.suites, options, prepared(store))
    run_plan = make_run_plan(arguments.targets, options, store, machine)  # again: the data decides what the trials are
    require_runnable(run_plan)
    fetch_all(run_plan)
    ray_environment.prepare(arguments.address)  # before Ray is imported
    from orchestrator.execution.ray_cluster import stop_ray

    signal.signal(signal.SIGTERM, raise_interrupt)
    with writing(store):
        try:
            ending = execute(run_plan, "-".join(["reproduce", *arguments.targets])[:100], runner(store, arguments))
        finally:
            stop_ray()
        show_comparisons(run_plan, store, arguments)
    return outcome_of(run_plan, ending)


def reproduce_on(arguments: argparse.Namespace, options: "Options", store: "Store") -> int:
    """Run the reproduction on a temporary cluster; its log, which the command follows, has the verdict."""
    from orchestrator.clusters import session
    from orchestrator.clusters.load import load_cluster
    from orchestrator.reproduce.on_cluster import further_words, job_request_of, require_room, said
    from orchestrator.reproduce.plan import make_run_plan

    if arguments.address:
        raise UserError("--on starts a cluster, and --address uses a running one: give only one of them")
    cluster, run_plan = load_cluster(arguments.on), make_run_plan(arguments.targets, options, store)
    require_room(run_plan, cluster)
    for line in said(run_plan, cluster):
        log.info("%s: %s", cluster.name, line)
    words = further_words(fetch_data=arguments.fetch_data, tracker_wait_s=arguments.tracker_wait)
    job_request = job_request_of(run_plan, arguments.targets, cluster, words)
    end = session.ClusterSession(cluster, job_request, prepared(store), keep=arguments.keep).run()
    if arguments.json:
        print_json(end.to_json())
    return session.exit_code(end)


def prepared(store: "Store") -> "Store":
    """Return the store, ready to be written to."""
    store.prepare()
    return store


def machine_at(address: str | None) -> "Machine | None":
    """Return the resources of the cluster at an address, ``None`` for this machine."""
    from orchestrator.execution.prepare import cluster_at

    return cluster_at(address) if address else None


def runner(store: "Store", arguments: argparse.Namespace) -> "PlanRunner":
    """Return a function that runs one plan as ``run`` does, in a Ray instance that stays up for the next one."""
    from orchestrator.execution.study_run import RunSettings, run_to_end
    from orchestrator.reports.progress import progress_in

    watching = progress_in(store)
    settings = RunSettings(arguments.address, tracker_wait_s=arguments.tracker_wait, watching=watching)
    return lambda plan: run_to_end(plan, store, settings, keep_ray=True).delivery.complete


def require_runnable(run_plan: "RunPlan") -> None:
    """Raise ``UserError`` when data is missing or wrong, or when not one trial fits; weights are fetched later."""
    from orchestrator.reproduce.sources import lacking

    for lack in lacking(run_plan):
        if lack.what != "weights":
            raise UserError(f"missing: {lack.what}; `stillhouse reproduce ... --plan` says where it comes from")
    for job in run_plan.jobs.values():
        found = [f for f in job.findings if f.level == "error" or (f.level == "missing" and "dataset" in f.where)]
        if found:
            raise UserError(str(found[0]))
        if job.plan.resources.concurrent == 0:
            raise UserError(f"no trial of {job.name} fits here: give fewer --gpus, or --address of a larger cluster")


def fetch_missing_data(run_plan: "RunPlan") -> None:
    """Fetch the data sets that the rows need and that are not here."""
    from orchestrator.reproduce.fetch_data import fetch_data
    from orchestrator.reproduce.sources import lacking

    for lack in lacking(run_plan):
        if lack.what != "weights":
            fetch_data(lack)


def fetch_all(run_plan: "RunPlan") -> None:
    """Fetch public weights; say loudly which ones random weights stand in for."""
    from orchestrator.execution.prepare import fetch_weights
    from orchestrator.reproduce.sources import replaced_weights

    for url in replaced_weights(run_plan):
        log.warning("RANDOM WEIGHTS instead of %s: the resulting numbers are meaningless", url)
    fetch_weights(dict.fromkeys(url for job in run_plan.jobs.values() for url in job.fetch))


def outcome_of(run_plan: "RunPlan", ending: "ReproductionResult") -> ExitStatus:
    """Return exit code 1, with the reason, when something that should have run failed, was stopped, or is not in MLflow."""
    from orchestrator.plan.trial import refreshed
    from trainers.schema.record import read_outcome

    reasons = [f"{name}: {reason}" for name, reason in ending.stopped.items()]
    for trial in run_plan.trials:
        if refreshed(trial).status == "failed":
            outcome = read_outcome(trial.directory)
            reason = f"{trial.id} {run_plan.source(trial).name}: {outcome.reason if outcome else ''}"
            log.warning("failed: %s", reason)
            reasons.append(f"failed: {reason}")
    reasons += [] if ending.delivered else ["MLflow lacks results"]
    return ExitStatus(FAILED, reasons[0]) if reasons else ExitStatus(OK)
