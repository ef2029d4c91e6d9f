"""Plain data is what Python's own unpickler makes of it, in every protocol and by every opcode; all else is refused or inert."""

import io
import math
import pickle
import pickletools
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.schema import pickle_machine, pickle_stream
from trainers.schema.pickle_machine import run_pickle
from trainers.schema.pickle_stream import PickleStream
from trainers.schema.pickled_objects import LARGEST_KEY, LONGEST_KEY, PLAIN_TABLE, Opaque, RefusedPickle, hashable

KEYS = (
    st.text()
    | st.binary()
    | st.integers(1 - LARGEST_KEY, LARGEST_KEY - 1)
    | st.floats(allow_nan=False)
    | st.none()
    | st.booleans()
)
LEAVES = KEYS | st.integers() | st.complex_numbers(allow_nan=False) | st.binary().map(bytearray)
VALUES = st.recursive(
    LEAVES | st.sets(st.text() | st.integers(-9, 9)) | st.frozensets(st.binary()),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.tuples(inner, inner, inner, inner) | st.dictionaries(KEYS, inner),
)  # fmt: skip


def read(content: bytes, persistent: Any = None) -> Any:
    return run_pickle(PickleStream(io.BytesIO(content), len(content)), persistent)


def by_hand(*lines: bytes) -> Any:
    return read(b"".join(lines) + b".")


def kinds(value: Any) -> Any:
    """Return the types of a value and its parts: ``True == 1`` and ``bytearray() == b""``."""
    if isinstance(value, dict):
        return [kinds(key) + kinds(item) for key, item in value.items()]
    return [type(value), *(kinds(item) for item in value)] if isinstance(value, list | tuple) else [type(value)]


@given(VALUES, st.integers(0, 5), st.booleans())
def test_plain_data_is_read_as_it_was(value: Any, protocol: int, by_python: bool) -> None:
    file = io.BytesIO()
    (pickle._Pickler if by_python else pickle.Pickler)(file, protocol).dump(value)
    content = file.getvalue() if by_python else pickletools.optimize(file.getvalue())
    found = read(content)
    assert found == value
    assert kinds(found) == kinds(value)


@pytest.mark.parametrize("protocol", range(6))
def test_the_same_object_stays_the_same_and_long_rows_come_in_parts(protocol: int) -> None:
    shared = ["x"]
    found = read(
        pickle.dumps([shared, shared, list(range(3000)), dict.fromkeys(map(str, range(2500)), shared)], protocol)
    )
    assert found[0] is found[1] is found[3]["2499"]
    assert (found[2], len(found[3])) == (list(range(3000)), 2500)


@pytest.mark.parametrize("protocol", range(6))
def test_containers_of_the_library_are_rebuilt(protocol: int) -> None:
    counter, ordered = Counter("aab"), OrderedDict([("z", 1), ("a", 2)])
    assert read(pickle.dumps(counter, protocol)) == counter
    assert list(read(pickle.dumps(ordered, protocol)).items()) == [("z", 1), ("a", 2)]
    assert read(pickle.dumps(defaultdict(list, a=[1]), protocol)) == {"a": [1]}


@pytest.mark.parametrize(
    ("opcodes", "value"),
    [
        ((b"(I1\nI2\nl",), [1, 2]), ((b"(I1\nI2\nd",), {1: 2}), ((b"(I1\nI2\nI3\nt",), (1, 2, 3)), ((b"I01\n",), True), ((b"I00\n",), False),
        ((b"I7\n(I2\n1",), 7),
        ((b"I1\nI2\n0",), 1), ((b"I1\n(0",), 1), ((b"]2a", ), "itself"), ((b"]p5\n0g5\n",), []), ((b"(lp0\nI1\na",), [1]), ((b"F1.5\n",), 1.5),
        ((b"L12L\n",), 12), ((b"S'a'\n",), "a"), ((b"V\\u00e4\n",), "ä"), ((b"}(I1\nI2\nI3\nI4\nu",), {1: 2, 3: 4}), ((b"}I1\nI2\ns",), {1: 2}),
    ],
)  # fmt: skip
def test_opcodes_of_old_protocols(opcodes: tuple[bytes, ...], value: Any) -> None:
    found = by_hand(*opcodes)
    if value == "itself":
        assert found[0] is found
    else:
        assert found == value


def test_names_become_inert_and_stay_so() -> None:
    assert by_hand(b"cos\nsystem\n").name == "os.system"
    assert by_hand(b"cos\nsystem\n(S'x'\ntR").name == "os.system"
    assert by_hand(b"(S'x'\nios\nsystem\n").name == "os.system"
    assert by_hand(b"(cos\nsystem\nS'x'\no").name == "os.system"
    assert by_hand(b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92").name == "os.system"
    assert by_hand(b"\x80\x02\x82\x07").name == "extension 7"
    for filled in (b"I1\na", b"(I1\ne", b"I1\nI2\ns", b"(I1\nI2\nu", b"}b"):
        assert by_hand(b"cos\nsystem\n" + filled).name == "os.system"
    assert by_hand(b"c" + b"m" * 300 + b"\nn\n").name == "m" * 200


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"0.", "takes more than it put"), (b".", "takes more than it put"), (b"(.", "takes more than it put"), (b"I1\n(0a.", "takes more than it put"),
        (b"I1\n(\x85.", "takes more than it put"), (b"I1\n\x86.", "takes more than it put"), (b"t.", "no mark where it needs one"),
        (b"g3\n.", "memo entry that it never wrote"), (b"(o.", "an object of no class"), (b"I1\n(tR.", "calls something other than a function"),
        (b"c__builtin__\nset\nI1\nR.", "calls something other than a function"), (b"I1\nI2\na.", "appends to something other than a list"),
        (b"I1\n(I2\ne.", "appends to something other than a list"), (b"I1\nI2\nI3\ns.", "fills something other than a dictionary"),
        (b"\x80\x04](I1\n\x90.", "adds to something other than a set"), (b"\x80\x04I1\nI2\n\x93.", "a name that is not text"),
        (b"c_codecs\nencode\n(S'a'\nS'utf8'\ntR.", "encodes something other than bytes"), (b"\x80\x05\x97.", "has no place in a checkpoint"),
        (b"\x8a\x7f.", "cut off"), (b"I1\n", "cut off"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(content)


@pytest.mark.parametrize("content", [b"}(I1\nu.", b"(I1\nd."])
def test_a_key_without_a_value_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        read(content)


def test_empty_bytes_of_old_protocols_are_bytes_and_their_class_makes_no_others() -> None:
    assert read(pickle.dumps(b"", 2)) == b""
    assert by_hand(b"cbuiltins\nbytes\n(I999999999\ntR") == b""


def test_persistent_ids_are_asked_for_by_value() -> None:
    assert read(b"(I1\nI2\ntQ.", lambda found: ("storage", found)) == ("storage", (1, 2))
    assert read(b"Pname\n.", lambda found: ("storage", found)) == ("storage", "name")


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("a", True), (b"a", True), (1.5, True), (None, True), (True, True), (LARGEST_KEY - 1, True), (1 - LARGEST_KEY, True), (LARGEST_KEY, False),
        (("a", 1), True), (("a",) * LONGEST_KEY, True), (("a",) * (LONGEST_KEY + 1), False), ((), False), ((1, "a"), False), (("a", ("b",)), False),
        (1j, False), (frozenset(), False), (("a", LARGEST_KEY), False),
    ],
)  # fmt: skip
def test_keys_are_plain_or_inert(key: Any, kept: bool) -> None:
    assert (hashable(key) is key) if kept else (hashable(key).name == type(key).__name__)
    opaque = Opaque("x")
    assert hashable(opaque) is opaque


# ------------------------------------------------------------------------------------------------------------ the budget


@pytest.mark.parametrize(
    ("value", "least"),
    [
        ([0] * 1000, 9000), ({str(number): 0 for number in range(1000)}, 200_000), (set(map(str, range(1000))), 80_000), ("x" * 1000, 1000),
        (tuple(range(1000)), 8000), (frozenset(map(str, range(1000))), 80_000), ([[] for _ in range(1000)], 96_000), ([{} for _ in range(1000)], 232_000),
        ([set() for _ in range(1000)], 216_000), ([(number,) for number in range(1000)], 64_000), (bytearray(1000), 1000),
    ],
    ids=lambda value: type(value).__name__,  # the text of a set differs from process to process
)  # fmt: skip
def test_memory_is_counted_as_it_is_taken(value: Any, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(value, 4)
    monkeypatch.setattr(pickle_stream, "FREE", least - len(content) - 1)
    with pytest.raises(RefusedPickle, match="more memory than a checkpoint"):
        read(content)
    monkeypatch.setattr(pickle_stream, "FREE", 100 * least)
    assert read(content) == value


@pytest.mark.parametrize("opcodes", [b"]", b"(t", b"N", b"(l", b"cos\nsystem\n"])
def test_opcodes_have_a_limit(opcodes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    count = sum(1 for _ in pickletools.genops(opcodes + b"."))
    monkeypatch.setattr(pickle_stream, "MAX_OPCODES", count)
    by_hand(opcodes)
    monkeypatch.setattr(pickle_stream, "MAX_OPCODES", count - 1)
    with pytest.raises(RefusedPickle, match="too long"):
        by_hand(opcodes)


def test_every_function_that_a_pickle_can_call_stands_in_the_table() -> None:
    assert set(PLAIN_TABLE) == {
        ("_codecs", "encode"), ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter"),
        *((module, name) for module in ("builtins", "__builtin__") for name in ("set", "frozenset", "bytes", "bytearray", "complex")),
    }  # fmt: skip
    assert {opcode.name for opcode in pickletools.opcodes} - set(pickle_machine.ACTIONS) == {
        "STOP",
        "NEXT_BUFFER",
        "READONLY_BUFFER",
    }
    assert math.isinf(by_hand(b"Finf\n"))
