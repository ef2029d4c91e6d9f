"""Read the pickle inside a checkpoint as data: nothing that it names is imported, and nothing in it is called.

The machine below knows the opcodes of pickle, and takes a table of rebuilders for the few names that its caller wants as
objects. Every other name becomes an ``Opaque``, which stays inert under every operation of the file. Imports nothing
heavy.
"""

import pickletools
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from trainers.schema.pickle_stream import PickleStream
from trainers.schema.pickled_objects import PLAIN_TABLE, Opaque, Rebuilder, RefusedPickle, hashable

# Bytes of memory, rounded up: of an opcode at least, of a new container with its first entry, of one entry more.
SLOT, LIST, DICT, SET, TUPLE, MEMO, NAME, PERSISTENT = 8, 96, 232, 216, 64, 150, 160, 1000
LIST_ENTRY, DICT_ENTRY, SET_ENTRY = 9, 200, 80
UNDERFLOW = "the pickle takes more than it put"
LONGEST_NAME = 200  # characters of a name in a pickle that are kept
Persistent = Callable[[Any], Any]
Table = dict[tuple[str, str], Any]
Fill = Callable[[Any, Any], None]


def drop_state(_target: Any, _state: Any) -> None:
    """Leave an object as it is."""


def run_pickle(
    stream: PickleStream, persistent: Persistent, table: Table = PLAIN_TABLE, fill: Fill = drop_state
) -> Any:
    """Return the object of the one pickle that ``stream`` stands at, and leave the stream behind it.

    ``persistent`` gives the object for a persistent id (torch: a storage), ``table`` those for names in the pickle;
    ``fill`` gives an object its state. Raises ``RefusedPickle`` or ``ValueError`` when the pickle is damaged.
    """
    machine = _PickleMachine(persistent, table, fill, stream.spend)
    for opcode, argument, _ in pickletools.genops(cast("BinaryIO", stream)):
        stream.step()
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise RefusedPickle("the pickle has no end")


class _PickleMachine:
    """Run opcodes on a stack and a memo, as pickle's own machine does, with tables in place of imports."""

    def __init__(self, persistent: Persistent, table: Table, fill: Fill, spend: Callable[[int], None]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.persistent, self.table, self.fill, self.spend = persistent, table, fill, spend

    def step(self, name: str, argument: Any) -> None:
        """Run one opcode."""
        action = ACTIONS.get(name)
        if action is None:
            raise RefusedPickle(f"opcode {name} has no place in a checkpoint")
        self.spend(COSTS.get(name, SLOT))
        action(self, argument)

    def ignore(self, _: Any) -> None:
        """Leave everything as it is."""

    def push(self, argument: Any) -> None:
        self.spend(sys.getsizeof(argument))
        self.stack.append(argument)

    def pop(self) -> Any:
        """Return the top of the stack, which must not lie below the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise RefusedPickle(UNDERFLOW)
        return self.stack.pop()

    def top(self) -> Any:
        """Return the top of the stack and leave it there."""
        value = self.pop()
        self.stack.append(value)
        return value

    def to_mark(self) -> list[Any]:
        """Return everything above the last mark and drop the mark."""
        if not self.marks:
            raise RefusedPickle("the pickle has no mark where it needs one")
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def discard(self, _: Any) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()  # POP takes a mark off like anything else
        else:
            self.pop()

    def put(self, argument: int) -> None:
        self.memo[argument] = self.top()

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.top()

    def get(self, argument: int) -> None:
        if argument not in self.memo:
            raise RefusedPickle("the pickle reads a memo entry that it never wrote")
        self.stack.append(self.memo[argument])

    def name_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self._named(module, name))

    def name_from_stack(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise RefusedPickle("the pickle uses a name that is not text")
        self.stack.append(self._named(module, name))

    def _named(self, module: str, name: str) -> Any:
        return self.table.get((module, name)) or Opaque(f"{module[:LONGEST_NAME]}.{name}"[:LONGEST_NAME])

    def extension(self, argument: int) -> None:
        self.stack.append(Opaque(f"extension {argument}"))

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(self._called(function, arguments))

    def call_with_keywords(self, _: Any) -> None:
        self.pop()  # no rebuilder takes keywords
        self.call(None)

    def instance(self, argument: str) -> None:
        self.to_mark()
        self.stack.append(Opaque(argument[:LONGEST_NAME].replace(" ", ".", 1)))

    def object_from_mark(self, _: Any) -> None:
        items = self.to_mark()
        if not items:
            raise RefusedPickle("the pickle makes an object of no class")
        self.stack.append(self._called(items[0], tuple(items[1:])))

    def _called(self, function: Any, arguments: Any) -> Any:
        """Rebuild data by one of our own functions; every other call becomes opaque."""
        if isinstance(function, Opaque):
            return Opaque(function.name)
        if not isinstance(function, Rebuilder) or not isinstance(arguments, tuple):
            raise RefusedPickle("the pickle calls something other than a function")
        self.spend(function.cost_of(arguments))
        return function.make(*arguments)

    def build(self, _: Any) -> None:
        """Give an object its state: arrays take it as contents, for all else it is dropped."""
        state, target = self.pop(), self.top()
        self.fill(target, state)

    def append(self, _: Any) -> None:
        item, target = self.pop(), self.top()
        self._extend(target, [item])

    def append_all(self, _: Any) -> None:
        items = self.to_mark()
        self._extend(self.top(), items)

    def _extend(self, target: Any, items: list[Any]) -> None:
        self.spend(LIST_ENTRY * len(items))
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Opaque):
            raise RefusedPickle("the pickle appends to something other than a list")

    def set_item(self, _: Any) -> None:
        value, key, target = self.pop(), self.pop(), self.top()
        self._update(target, [key, value])

    def set_items(self, _: Any) -> None:
        items = self.to_mark()
        self._update(self.top(), items)

    def _update(self, target: Any, items: list[Any]) -> None:
        self.spend(DICT_ENTRY * len(items))
        if isinstance(target, Opaque):
            return
        if not isinstance(target, dict):
            raise RefusedPickle("the pickle fills something other than a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[hashable(key)] = value

    def add_items(self, _: Any) -> None:
        items, target = self.to_mark(), self.top()
        self.spend(SET_ENTRY * len(items))
        if not isinstance(target, set):
            raise RefusedPickle("the pickle adds to something other than a set")
        target.update(map(hashable, items))

    def make_dict(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append({})
        self._update(self.top(), items)

    def persist(self, _: Any) -> None:
        self.stack.append(self.persistent(self.pop()))

    def persist_by_text(self, argument: str) -> None:
        self.stack.append(self.persistent(argument))

    def make_list(self, _: Any) -> None:
        self.stack.append(self.to_mark())

    def make_tuple(self, _: Any) -> None:
        items = self.to_mark()
        self.spend(SLOT * len(items))
        self.stack.append(tuple(items))

    def make_frozenset(self, _: Any) -> None:
        items = self.to_mark()
        self.spend(SET_ENTRY * len(items))
        self.stack.append(frozenset(map(hashable, items)))

    def tuple_of(self, length: int) -> None:
        height = len(self.stack) - length
        if height < (self.marks[-1] if self.marks else 0):
            raise RefusedPickle(UNDERFLOW)
        items = tuple(self.stack[height:])
        del self.stack[height:]
        self.stack.append(items)

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.top())

    def drop_to_mark(self, _: Any) -> None:
        self.to_mark()


NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
COSTS = {
    **dict.fromkeys(("EMPTY_LIST", "LIST"), LIST),
    **dict.fromkeys(("EMPTY_DICT", "DICT"), DICT),
    **dict.fromkeys(("EMPTY_SET", "FROZENSET"), SET),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), TUPLE),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), MEMO),
    **dict.fromkeys(("MARK", "DUP"), LIST // 2),
    **dict.fromkeys(
        ("GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX"), NAME
    ),
    **dict.fromkeys(("BINPERSID", "PERSID"), PERSISTENT),
    "BUILD": LIST * 4,  # numpy copies the contents of an array of up to 200 bytes
}
ACTIONS: dict[str, Callable[[_PickleMachine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _PickleMachine.ignore),
    **dict.fromkeys((*NUMBERS, *TEXTS, *BYTES), _PickleMachine.push),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_SET": lambda machine, _: machine.stack.append(set()),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "MARK": _PickleMachine.mark,
    "POP": _PickleMachine.discard,
    "POP_MARK": _PickleMachine.drop_to_mark,
    "DUP": _PickleMachine.duplicate,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _PickleMachine.put),
    "MEMOIZE": _PickleMachine.memoize,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _PickleMachine.get),
    "LIST": _PickleMachine.make_list,
    "APPEND": _PickleMachine.append,
    "APPENDS": _PickleMachine.append_all,
    "TUPLE": _PickleMachine.make_tuple,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "DICT": _PickleMachine.make_dict,
    "SETITEM": _PickleMachine.set_item,
    "SETITEMS": _PickleMachine.set_items,
    "ADDITEMS": _PickleMachine.add_items,
    "FROZENSET": _PickleMachine.make_frozenset,
    "GLOBAL": _PickleMachine.name_global,
    "STACK_GLOBAL": _PickleMachine.name_from_stack,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _PickleMachine.extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _PickleMachine.call),
    "NEWOBJ_EX": _PickleMachine.call_with_keywords,
    "INST": _PickleMachine.instance,
    "OBJ": _PickleMachine.object_from_mark,
    "BUILD": _PickleMachine.build,
    "BINPERSID": _PickleMachine.persist,
    "PERSID": _PickleMachine.persist_by_text,
}
