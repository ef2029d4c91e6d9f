"""Describe the snapshot: the one JSON document that every view is drawn from, served and exported alike.

Rules that hold everywhere:

- ``run`` (MLflow's run id) is the key of a trial; studies of one experiment share the runs of the trials they share.
- A number is a JSON number, ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``, or null where there is none.
- ``metrics`` names the columns: ``best``, ``last``, ``mean`` and so on are lists in its order.
- AP is 0 to 1 as in MLflow (views multiply by 100), times are seconds, moments are seconds since 1970.
- Texts may hold anything, markup included: they are data, to be shown as text. Long ones are cut.
- Readers ignore keys that they do not know; ``version`` is raised when a key changes its meaning.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

VERSION = 1

Number = float | Literal["NaN", "Infinity", "-Infinity"] | None
Numbers = list[Number]


class Answer(TypedDict):
    """Hold whether distillation helped: the row of a study's best student, compared within its group of this study alone.

    ``sentence`` is the one that ``run`` prints at its end. ``mean``, ``none`` and ``teacher`` are the selection metric of
    the row, of the student trained alone and of the teacher; ``gain_interval`` is the 95 % confidence interval of
    ``gain``, empty where nothing was repeated; ``gap_closed`` is the gain as a share of the teacher's lead. ``row`` is a
    ``LeaderboardRow.key``.
    """

    sentence: str
    row: str
    group: str
    kind: Literal["teacher", "baseline", "distilled"]
    runs: list[str]
    seeds: int
    none_seeds: int
    mean: Number
    none: Number
    teacher: Number
    gain: Number
    gain_interval: Numbers
    gap_closed: Number


class NextStep(TypedDict):
    """Hold a command that goes on with a study, ``STUDY`` standing for its file, and its purpose."""

    command: str
    purpose: str


class SnapshotFidelity(TypedDict):
    """Hold Spearman's rank correlation of a short study's rows with those of the full ``study`` (a ``SnapshotStudy.id``).

    ``rows`` have finished at both lengths; ``correlation`` is null below three.
    """

    study: str
    rows: int
    correlation: Number


class SnapshotStudy(TypedDict):
    """Hold one study: its own run in MLflow and the settings that its trials share.

    ``params`` are the settings that most of its trials have; a trial's full settings are ``study.params | trial.params``,
    where null in the latter takes a key away.
    ``searched`` are the settings that it varies on purpose, the seed left out. ``best`` is the run of its best student:
    the highest selection metric of those that count. ``runs`` are all of its trials,
    those included that another study has trained. ``planned`` is null where nobody recorded how many trials there will
    be. ``run_at`` is when it was run last. ``eta_s`` is null when nothing runs or no epoch has been timed.
    ``on_gpu`` says whether its hours are of GPUs, null where nobody recorded it or both occur. ``answer`` is null until a
    student counts. ``spark`` is the selection metric of the best student over its epochs, or of the trial that is
    furthest where none counts. ``fidelity`` is null unless the study is a short one, and the full one is there too.
    """

    id: str
    name: str
    description: str
    experiment: str
    status: str
    started: Number
    ended: Number
    run_at: Number
    params: dict[str, str]
    searched: list[str]
    runs: list[str]
    best: str | None
    planned: int | None
    counts: dict[str, int]
    eta_s: Number
    gpu_hours: Number
    on_gpu: bool | None
    answer: Answer | None
    spark: Numbers
    fidelity: SnapshotFidelity | None
    next: list[NextStep]


class SnapshotEvent(TypedDict):
    """Hold one entry of a trial's timeline: the incident, the response, and the reason in words.

    ``failure`` is false for the end of a trial that a scheduler or its user stopped early.
    """

    time: Number
    kind: str
    action: str
    detail: str
    failure: bool


class SnapshotPrefix(TypedDict):
    """Hold which trial has made a trial's first ``epochs``; ``run`` is its run, null where that is not in the store."""

    trial: str
    run: str | None
    epochs: int


class SnapshotTrial(TypedDict):
    """Hold one trial. ``study`` is a ``SnapshotStudy.id``, of several the one that was run last.

    A run that no study made belongs to a study named by its experiment. ``status`` is ``finished``, ``stopped`` (early, by a scheduler or its user), ``failed``, ``running``, ``unfinished``,
    ``paused`` (by its user) or ``unknown``. ``epochs`` is the length by the schedule, ``epoch`` the last one recorded, ``best_epoch`` the one with
    the highest selection metric. ``best`` holds every metric at that epoch, ``last`` at the last one. ``gpu_hours``
    counts training and evaluation on ``devices`` (1 where nobody recorded it: ``devices`` is null then).
    ``cost`` holds those of ``parameters``, ``macs`` and ``latency_ms`` (one image on a CPU) that were measured of its detector.
    ``counts`` says whether the trial enters means and ranks: it was trained to its end, and its metric is a number; ``mark``
    says in a few words why not.
    ``note`` is its note in MLflow, ``experiment`` the id of its experiment there.
    ``teacher_run`` is the run of the teacher where that is in the store too. ``tags`` hold provenance. ``prefix`` is null where
    the trial has made all of its epochs; hours and times are those of its own.
    """

    run: str
    id: str
    study: str
    name: str
    role: Literal["teacher", "student"]
    method: str
    point: str
    seed: int | None
    status: str
    counts: bool
    mark: str
    reason: str
    note: str
    experiment: str
    student: str
    teacher: str
    teacher_run: str | None
    params: dict[str, str | None]
    tags: dict[str, str]
    started: Number
    ended: Number
    epoch: int | None
    epochs: int | None
    best_epoch: int | None
    best: Numbers
    last: Numbers
    per_class: dict[str, Number]
    gpu_hours: Number
    cost: dict[str, Number]
    devices: int | None
    on_gpu: bool | None
    epoch_s: Number
    prefix: SnapshotPrefix | None
    events: list[SnapshotEvent]
    paper: str | None


class ComparisonGroup(TypedDict):
    """Hold trials that may be ranked together: equal in every one of ``facts``.

    ``facts`` has the keys ``data``, ``evaluation``, ``schedule``, ``batch`` and ``teacher``, each a text for people;
    a fact that a run did not record reads ``not recorded``, and equals no other run's. ``runs`` are distilled students,
    ``baselines`` students trained alone under the same facts but for the teacher, ``teachers`` theirs.
    """

    id: str
    label: str
    facts: dict[str, str]
    runs: list[str]
    baselines: list[str]
    teachers: list[str]


class Difference(TypedDict):
    """Hold the differences of two groups that are not ranked together, a sentence each."""

    a: str
    b: str
    facts: list[str]
    sentences: list[str]


class OtherTrial(TypedDict):
    """Hold a trial that does not count, ``values`` at its last evaluation. ``mark`` says why in words.

    It failed, was stopped early, has not ended or gave no number.
    """

    run: str
    seed: int | None
    status: str
    mark: str
    epoch: int | None
    values: Numbers


class LeaderboardRow(TypedDict):
    """Hold one row of the leaderboard: runs of a group that differ in the seed only.

    ``mean`` and ``spread`` (sample standard deviation, null for one seed) are over the best epochs of the ``counted``
    runs, as are all other numbers; ``others`` are the runs that do not count. ``n`` counts the values of the selection
    metric. ``test`` is the selection metric on a test split, by which nothing was chosen.
    ``to_none`` and ``to_paper`` are differences of its mean, as fractions; ``none_key`` names the row compared
    with. ``rank`` is one more than the number of rows that are clearly better, by Student's t and the spread that all
    students of the group share; it is null for teachers, for rows without a value, and where no seed was repeated.
    ``interval`` is the 95 % confidence interval of the mean, ``gain_interval`` that of ``to_none``; both are empty where
    ``rank`` is null for want of a spread.
    ``cost`` is the detector's, as in ``SnapshotTrial``.
    """

    key: str
    group: str
    kind: Literal["teacher", "baseline", "distilled"]
    label: str
    method: str
    point: str
    student: str
    runs: list[str]
    counted: list[str]
    others: list[OtherTrial]
    seeds: list[int | None]
    n: int
    mean: Numbers
    spread: Numbers
    best: Numbers
    last_mean: Numbers
    last_spread: Numbers
    test: Number
    test_spread: Number
    to_none: Number
    none_key: str | None
    to_paper: Number
    paper: str | None
    rank: int | None
    interval: list[Number]
    gain_interval: list[Number]
    statuses: dict[str, int]
    gpu_hours: Number
    cost: dict[str, Number]


class PaperCell(TypedDict):
    """Hold one printed row of the paper; ``values`` are in percent by column name (``AP``, ``AP50`` ...)."""

    id: str
    table: str
    title: str
    detector: str
    method: str
    role: str
    schedule: str
    teacher: str
    values: dict[str, float]


class AlphaGrid(TypedDict):
    """Hold the selection metric over (alpha1, alpha2) of one method and student in a group.

    ``mean[i][j]`` belongs to ``ys[i]`` and ``xs[j]``, null where no trial counts; ``others`` counts those that do not. ``paper`` is the paper's (alpha1, alpha2).
    """

    group: str
    method: str
    student: str
    x: str
    y: str
    xs: list[float]
    ys: list[float]
    mean: list[Numbers]
    spread: list[Numbers]
    n: list[list[int]]
    others: list[list[int]]
    runs: list[list[list[str]]]
    paper: list[float] | None


class Importance(TypedDict):
    """Hold how much each searched setting matters for the selection metric in a group, adding up to 1.

    ``reason`` says why there are no ``values``. ``trials`` were used. ``ranges`` hold the 5th and 95th percentile of the
    share over resampled trials. ``directions`` are Spearman's rank correlations of a numerical setting with the metric:
    above 0 larger values did better.
    """

    group: str
    method: str
    evaluator: str
    trials: int
    values: dict[str, float]
    ranges: dict[str, list[float]]
    directions: dict[str, float]
    reason: str


class RungCorrelation(TypedDict):
    """Hold Spearman's rank correlation of the metric at each epoch with that at the end, over a group's finished runs."""

    group: str
    epochs: list[int]
    rho: Numbers
    n: list[int]


class Pareto(TypedDict):
    """Name the runs of a group than which none both has more AP and costs less, cheapest first.

    ``cost`` is ``gpu_hours``, or one of the detector's that was measured of some run: ``parameters``, ``macs``,
    ``latency_ms``.
    """

    group: str
    cost: str
    front: list[str]


class Histories(TypedDict):
    """Hold the curves, downsampled to the lowest and highest point of each bucket of steps where they are long.

    ``runs[run]`` is a list of ``[metric, steps, values]``: an index into ``Snapshot.metrics``, one into ``steps`` (the
    epochs, shared by curves that have the same), and one number a step.
    """

    steps: list[list[int]]
    runs: dict[str, list[tuple[int, int, Numbers]]]


class MetricTitle(TypedDict):
    """Hold a metric's title, its meaning, whether it is a fraction that is shown in percent, and whether less is better."""

    title: str
    meaning: str
    percent: bool
    falls: bool


class SystemHistories(Histories):
    """Hold the curves of system metrics alike; the indices are into ``metrics`` here."""

    metrics: list[str]
    metric_names: dict[str, MetricTitle]


class Dashboard(TypedDict):
    """Hold a saved view: an initial view. ``filter`` is setting or tag -> accepted texts."""

    name: str
    title: str
    metric: str
    view: str
    filter: dict[str, list[str]]
    group_by: list[str]
    baselines: list[str]


class Compared(TypedDict):
    """Hold the comparison of a set of trials with each other only."""

    groups: list[ComparisonGroup]
    differences: list[Difference]
    rows: list[LeaderboardRow]
    alpha: list[AlphaGrid]
    importance: list[Importance]
    rungs: list[RungCorrelation]
    pareto: list[Pareto]


class Ranked(Compared):
    """Hold trials, compared with each other."""

    trials: list[SnapshotTrial]


class OlderVersion(Ranked):
    """Hold a study that has been run again since with other trials; its own trials are compared among themselves."""

    study: SnapshotStudy


class Snapshot(Ranked):
    """Hold all that a tracking store says about its trials at one moment.

    ``studies`` and ``trials`` are those of each study as it was run last; ``older`` are its versions before, the newest
    first. Trials that several versions share stand in each of them. ``alone`` compares the trials of one study, by its id,
    among themselves, where others may be ranked together with them; a page of this study shows this comparison.

    ``metric_names`` are titles and meanings of metrics; one that is not listed goes by its key.

    ``revision`` changes exactly when anything but ``generated_at`` and ``live`` does. ``metric`` is the selection
    metric. ``notes`` are sentences that explain omissions. ``histories`` is left out of ``/api/snapshot`` and
    comes from ``/api/histories``; the export holds it. So is ``system``, which comes from ``/api/system``. ``live`` is false in an export. ``mlflow`` is the address of
    MLflow's own pages, null where the store is no server.
    """

    version: int
    generated_at: Number
    revision: str
    live: bool
    source: str
    mlflow: str | None
    metric: str
    metrics: list[str]
    metric_names: dict[str, MetricTitle]
    studies: list[SnapshotStudy]
    older: list[OlderVersion]
    alone: dict[str, Compared]
    paper: list[PaperCell]
    dashboards: list[Dashboard]
    notes: list[str]
    histories: NotRequired[Histories]
    system: NotRequired[SystemHistories]
