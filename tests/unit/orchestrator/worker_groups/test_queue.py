"""Prove who trains beside whom, and in which order the scheduler hears of it, without Ray."""

import pytest

from orchestrator.worker_groups.queue import MOST_IDLE_DEATHS, PATIENCE_S, GangQueue, Slot, SlotStage
from trainers.schema.record import Record

LOST = (RuntimeError("gone"),)


def slot(
    name: str, position: int, key: str = "one", after: int = -1, since: float = 0.0, lease_id: str = "first"
) -> Slot:
    return Slot(name, key, position, f"job of {name}", after, since, lease_id)


def seating(size: int, names: str, key: str = "one") -> GangQueue:
    return GangQueue(size, dict.fromkeys(names, key))


def seated(size: int, names: str) -> GangQueue:
    """Return a table at which all have come and ``host`` trains the first cohort."""
    found = seating(size, names)
    for position, name in enumerate(names):
        found.enqueue(slot(name, position))
    found.cohort("host", 0.0)
    return found


def names(slots: list[Slot]) -> str:
    return "".join(one.trial_id for one in slots)


def record(step: int) -> Record:
    return Record(step, step, {})


# ------------------------------------------------------------------------------------------------ who beside whom


def test_a_cohort_waits_for_its_members_and_keeps_the_studys_order() -> None:
    table = seating(2, "abc")
    table.enqueue(slot("b", 1))
    assert table.cohort("host", 0.0) == []
    table.enqueue(slot("a", 0))
    assert names(table.cohort("host", 0.0)) == "ab"


def test_who_comes_first_does_not_take_the_place_of_one_on_the_way() -> None:
    table = seating(2, "abcd")
    table.enqueue(slot("d", 3))
    table.enqueue(slot("a", 0))
    assert table.cohort("host", 0.0) == []
    table.enqueue(slot("b", 1))
    assert names(table.cohort("host", 0.0)) == "ab"
    table.leave("c")  # it will not come
    assert names(table.cohort("other", 0.0)) == "d"


def test_the_last_cohort_is_smaller_and_waits_for_nobody() -> None:
    table = seating(2, "abc")
    for position, name in enumerate("abc"):
        table.enqueue(slot(name, position))
    assert names(table.cohort("host", 0.0)) == "ab"
    assert table.useful_hosts() == 2
    assert names(table.cohort("other", 0.0)) == "c"
    assert table.coming() == 0


def test_who_does_not_come_is_not_waited_for_longer_than_patience() -> None:
    table = seating(2, "ab")
    table.enqueue(slot("a", 0, since=5.0))
    assert table.cohort("host", 5.0 + PATIENCE_S) == []
    assert names(table.cohort("host", 5.1 + PATIENCE_S)) == "a"


def test_who_has_ended_is_not_waited_for() -> None:
    table = seating(2, "ab")
    table.enqueue(slot("a", 0))
    table.leave("b")
    assert names(table.cohort("host", 0.0)) == "a"


def test_others_with_another_key_are_a_cohort_of_their_own() -> None:
    table = GangQueue(2, {"a": "one", "b": "two", "c": "one"})
    for position, (name, key) in enumerate({"a": "one", "b": "two", "c": "one"}.items()):
        table.enqueue(slot(name, position, key))
    assert names(table.cohort("host", 0.0)) == "ac"
    assert names(table.cohort("host", 0.0)) == "b"


def test_an_open_table_waits_for_who_is_not_known_yet() -> None:
    table = GangQueue(2, {}, open_ended=True, places=2)
    table.enqueue(slot("a", 0))
    assert table.cohort("host", 0.0) == []
    assert names(table.cohort("host", PATIENCE_S + 1.0)) == "a"


def test_who_was_proposed_is_waited_for_and_nobody_else_while_the_search_rests() -> None:
    table = GangQueue(3, {}, open_ended=True, places=3)
    for position, name in enumerate("ab"):
        table.expect(name, "one")
        table.enqueue(slot(name, position))
    assert table.cohort("host", 0.0) == []  # a third may be proposed
    table.set_idle(over=False)
    assert names(table.cohort("host", 0.0)) == "ab"
    table.expect("c", "one")
    table.expect("d", "one")
    table.set_idle(over=True)
    table.enqueue(slot("c", 2))
    assert table.cohort("other", 0.0) == []
    table.enqueue(slot("d", 3))
    assert names(table.cohort("other", 0.0)) == "cd"


def test_a_search_that_holds_all_its_places_sends_nobody_else() -> None:
    table = GangQueue(2, {}, open_ended=True, places=2)
    table.enqueue(slot("a", 0, key="one"))
    assert table.cohort("host", 0.0) == []
    table.enqueue(slot("b", 1, key="two"))
    assert names(table.cohort("host", 0.0)) == "a"


def test_hosts_stay_until_an_open_search_is_over() -> None:
    table = GangQueue(2, {}, open_ended=True, places=2)
    assert not table.over
    table.set_idle(over=False)
    assert not table.over
    table.set_idle(over=True)
    assert table.over


def test_those_that_go_on_after_a_pause_are_waited_for_and_train_together() -> None:
    table = GangQueue(2, dict.fromkeys("ab", "one"), open_ended=True)
    for position, name in enumerate("ab"):
        table.enqueue(slot(name, position))
    table.cohort("host", 0.0)
    table.leave("a")
    table.leave("b")
    assert not table.over  # they may come again
    table.expect("a", "one")
    table.expect("b", "one")
    table.enqueue(slot("a", 0, lease_id="second"))
    assert table.cohort("host", 0.0) == []
    table.enqueue(slot("b", 1, lease_id="second"))
    assert names(table.cohort("host", 0.0)) == "ab"


# ---------------------------------------------------------------------------------------------- records and verdicts


def test_records_reach_the_scheduler_one_after_the_other_in_order() -> None:
    table = seated(3, "abc")
    for name in "cba":
        table.put("host", name, record(1))
    assert [table.next_record(name) is None for name in "abc"] == [False, True, True]
    assert not table.judged("abc")
    table.ask("a")  # it goes on
    assert [table.next_record(name) is None for name in "bc"] == [False, True]
    table.leave("b")  # the scheduler has stopped it
    assert table.next_record("c") == record(1)
    table.ask("c")
    assert table.judged("abc")
    assert table.active_trials("host", "abc") == ["a", "c"]


def test_the_last_records_of_a_cohort_are_in_order_too() -> None:
    table = seated(2, "ab")
    table.put("host", "a", record(1))
    table.put("host", "b", record(1))
    table.end("host")
    assert table.next_record("b") is None
    assert table.next_record("a") == record(1)
    table.leave("a")
    assert table.next_record("b") == record(1)


def test_what_a_reader_knows_or_who_has_left_is_not_told() -> None:
    table = seating(2, "ab")
    table.enqueue(slot("a", 0, after=2))
    table.enqueue(slot("b", 1))
    table.cohort("host", 0.0)
    for step in (1, 2, 3):
        table.put("host", "a", record(step))
    table.leave("b")
    table.put("host", "b", record(1))
    assert table.next_record("a") == record(3)
    assert table.next_record("b") is None


def test_a_reader_that_comes_again_takes_its_place_and_is_waited_for() -> None:
    table = seated(2, "ab")
    table.put("host", "a", record(1))
    assert table.next_record("a") == record(1)
    table.put("host", "b", record(1))
    table.enqueue(
        slot("a", 0, after=1, lease_id="second")
    )  # its process died after it had told the scheduler, or before
    table.leave("a", "first")
    assert table.judged("a")
    assert table.active_trials("host", "ab") == ["a", "b"]
    assert table.next_record("b") == record(1)


def test_one_that_is_paused_and_comes_again_is_trained_by_one_host_only() -> None:
    table = seated(2, "ab")
    table.leave("a", "first")
    table.enqueue(slot("a", 0, after=1, lease_id="second"))
    assert names(table.cohort("other", 0.0)) == "a"
    assert table.active_trials("host", "ab") == ["b"]
    table.put("host", "a", record(2))
    assert table.next_record("a") is None


# ---------------------------------------------------------------------------------------------------------- failures


def test_a_failure_is_one_trials() -> None:
    table = seated(2, "ab")
    table.fail("host", "a", LOST)
    found = {name: table.slot(name) for name in "ab"}
    assert [(one.stage, one.errors) for one in found.values() if one] == [
        (SlotStage.OVER, LOST),
        (SlotStage.TRAINING, ()),
    ]


def test_a_lost_host_takes_its_cohort_which_trains_together_once_more_and_then_apart() -> None:
    table = seated(2, "abc")
    for attempt in ("second", "third"):
        table.end("host", LOST)
        assert [one.errors for name in "ab" if (one := table.slot(name))] == [LOST, LOST]
        waiting = table.slot("c")
        assert waiting is not None
        assert waiting.errors == ()
        table.enqueue(slot("a", 0, lease_id=attempt))
        table.enqueue(slot("b", 1, lease_id=attempt))
        if attempt == "second":
            assert names(table.cohort("host", 0.0)) == "ab"
    assert [names(table.cohort(host, 0.0)) for host in ("one", "two", "three")] == ["a", "b", "c"]


def test_hosts_that_die_before_they_train_are_told_to_those_who_wait() -> None:
    table = seating(1, "a")
    table.enqueue(slot("a", 0))
    for _ in range(MOST_IDLE_DEATHS - 1):
        table.end("host", LOST)
    found = table.slot("a")
    assert found is not None
    assert found.stage is SlotStage.WAITING
    table.end("host", LOST)
    assert (found.stage, found.errors) == (SlotStage.OVER, LOST)


@pytest.mark.parametrize("known", [True, False])
def test_leaving_before_coming_is_no_error(known: bool) -> None:
    table = seating(1, "a" if known else "")
    table.leave("a")
    assert table.useful_hosts() == 0
