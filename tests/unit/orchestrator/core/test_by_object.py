"""A value is made once for an object, and found for that object only."""

from orchestrator.core.by_object import ByObject


def test_each_object_is_looked_at_once() -> None:
    made: list[str] = []
    kept, one, equal = ByObject[str](), ["part"], ["part"]

    def make() -> str:
        made.append("made")
        return f"number {len(made)}"

    assert kept.of(make, one) == kept.of(make, one) == "number 1"
    assert kept.of(make, equal) == "number 2"  # equal now; it need not stay so
    assert kept.of(make, one, given=("other",)) == "number 3"


def test_an_object_is_held_so_that_none_takes_its_place_in_memory() -> None:
    kept = ByObject[int]()
    assert [kept.of(lambda number=number: number, [number]) for number in range(1000)] == list(range(1000))
