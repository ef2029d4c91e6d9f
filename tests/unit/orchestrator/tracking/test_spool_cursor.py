"""What MLflow lacks is what comes after its last step of each metric: property tests against a simple MLflow."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tracking.cursor import WORKERS, advance, best_points, metric_key, missing, points_of, portions
from trainers.schema.record import SELECTION_METRIC, Record

KEYS = ("loss/total", "ratio/kd", "grad_share/kd", "focus/p3", "voc/AP50")
VALUES = st.floats(allow_nan=False)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Draw a history whose metrics come and go; a teacher that is only evaluated has epoch 0."""
    first = draw(st.sampled_from([0, 1]))
    metrics = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=len(KEYS))
    drawn = draw(st.lists(metrics, max_size=12))
    return [Record(first + n, n, found, {"time/train_s": 1.0}, 1.7e9 + n) for n, found in enumerate(drawn)]


class Rows:
    """Behave as MLflow's table of metrics: rows are a set, a request is stored whole or not at all."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, int, int]] = []

    def log(self, points: list[tuple[str, float, int, int]]) -> None:
        self.rows += [tuple(point) for point in points if tuple(point) not in self.rows]

    def last_steps(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, _, _, step in self.rows:
            found[key] = max(step, found.get(key, step))
        return found


def as_rows(history: list[Record]) -> set[tuple[str, float, int, int]]:
    """Return what has to stand in MLflow, written out from the records."""
    rows = set()
    for record in history:
        for key, value in {"epoch": float(record.epoch), **record.metrics, **record.timing}.items():
            rows.add((key, value, int(record.wall_time * 1000), record.epoch))
    return rows


@given(histories(), st.data())
def test_whatever_dies_and_however_replies_are_lost_each_point_is_stored_once(history, data):
    mlflow, late = Rows(), []
    lengths = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=6)))
    for length in [*lengths, len(history), len(history)]:
        logged = mlflow.last_steps()  # a new process, or one that has met an error
        size = data.draw(st.integers(1, 9))
        for portion in portions(missing(points_of(history[:length]), logged), size):
            fate = data.draw(st.sampled_from(["stored", "stored", "reply lost", "lost", "late"]))
            if fate in ("stored", "reply lost"):
                mlflow.log(portion)
            if fate == "late":
                late.append(portion)
            if fate != "stored":
                break
            advance(logged, portion)
    mlflow.log(missing(points_of(history), mlflow.last_steps()))
    for portion in late:
        mlflow.log(portion)
    assert set(mlflow.rows) == as_rows(history)
    assert len({(key, step) for key, _, _, step in mlflow.rows}) == len(mlflow.rows)


@given(histories(), st.integers(1, 9))
def test_portions_hold_all_points_in_the_order_of_their_steps(history, size):
    points = missing(points_of(history), {})
    found = list(portions(points, size))
    assert [point for portion in found for point in portion] == points
    assert all(1 <= len(portion) <= size for portion in found)
    steps = [point.step for point in points]
    assert steps == sorted(steps)


@given(histories())
def test_nothing_is_missing_from_a_complete_copy(history):
    logged: dict[str, int] = {}
    advance(logged, points_of(history))
    assert missing(points_of(history), logged) == []
    again = [Record(r.epoch, r.step, r.metrics, {"time/train_s": 9.0}, r.wall_time + 60) for r in history]
    assert missing(points_of(again), logged) == []  # trained again elsewhere: the first copy stands


def test_best_values_stand_at_the_step_of_the_best_record():
    history = [Record(n, n, {SELECTION_METRIC: ap, "voc/mAP": ap / 2}) for n, ap in ((1, 0.25), (2, 0.5), (3, 0.5))]
    assert {(p.key, p.value, p.step) for p in best_points(history)} == {
        (f"best/{SELECTION_METRIC}", 0.5, 2),
        ("best/voc/mAP", 0.25, 2),
        ("best/epoch", 2.0, 2),
    }
    assert list(best_points([Record(1, 1, {"loss/total": 1.0})])) == []


@given(st.text(min_size=1, max_size=20))
def test_metric_names_hold_only_what_mlflow_takes(name):
    assert all(letter.isalnum() or letter in "_./ :-" for letter in metric_key(name))


def test_usual_metric_names_stay_as_they_are():
    for name in ("coco/bbox_mAP_50", "grad_share/kd_loc", "voc/AP dining table", "time/train_s"):
        assert metric_key(name) == name


def test_the_workers_of_an_elastic_trial_are_points_of_its_epochs() -> None:
    records = [Record(1, 5, {}, {"time/train_s": 1.0}, workers=8.0), Record(2, 10, {}, {"time/train_s": 1.0})]
    assert [(point.value, point.step) for point in points_of(records) if point.key == WORKERS] == [(8.0, 1)]


def test_system_metrics_are_points_of_their_record() -> None:
    record = Record(
        epoch=3, step=9, metrics={"a": 1.0}, wall_time=7.0, system={"system/cpu_utilization_percentage": 50.0}
    )
    points = {point.key: point for point in points_of([record])}
    assert points["system/cpu_utilization_percentage"] == ("system/cpu_utilization_percentage", 50.0, 7000, 3)
    assert not any("system" in point.key for point in best_points([record]))
