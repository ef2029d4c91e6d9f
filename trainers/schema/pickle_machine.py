"""Read the pickle inside a checkpoint as data: nothing that it names is imported, and nothing in it is called.

The machine below knows the opcodes of pickle, and takes a table of rebuilders for the few names that its caller wants as
objects. Every other name becomes an ``Opaque``, which stays inert under every operation of the file. Imports nothing
heavy.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from trainers.schema.pickled_objects import PLAIN_TABLE, Opaque, Rebuilder, RefusedPickle, hashable

MAX_OPCODES = 10_000_000
Persistent = Callable[[Any], Any]
Table = dict[tuple[str, str], Any]
Fill = Callable[[Any, Any], None]


def drop_state(_target: Any, _state: Any) -> None:
    """Leave an object as it is."""


def run_pickle(stream: BinaryIO, persistent: Persistent, table: Table = PLAIN_TABLE, fill: Fill = drop_state) -> Any:
    """Return the object of the one pickle that ``stream`` stands at, and leave the stream behind it.

    ``persistent`` gives the object for a persistent id (torch: a storage), ``table`` those for names in the pickle;
    ``fill`` gives an object its state. Raises ``RefusedPickle`` or ``ValueError`` when the pickle is damaged.
    """
    machine = _PickleMachine(persistent, table, fill)
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count > MAX_OPCODES:
            raise RefusedPickle("the pickle is too long")
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise RefusedPickle("the pickle has no end")


class _PickleMachine:
    """Run opcodes on a stack and a memo, as pickle's own machine does, with tables in place of imports."""

    def __init__(self, persistent: Persistent, table: Table, fill: Fill) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.persistent, self.table, self.fill = persistent, table, fill

    def step(self, name: str, argument: Any) -> None:
        """Run one opcode."""
        if name in IGNORED:
            return
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name]())
        else:
            action = ACTIONS.get(name)
            if action is None:
                raise RefusedPickle(f"opcode {name} has no place in a checkpoint")
            action(self, argument)

    def pop(self) -> Any:
        """Return the top of the stack, which must not lie below the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise RefusedPickle("the pickle takes more than it put")
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
        return self.table.get((module, name)) or Opaque(f"{module}.{name}")

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
        self.stack.append(Opaque(argument.replace(" ", ".", 1)))

    def object_from_mark(self, _: Any) -> None:
        items = self.to_mark()
        if not items:
            raise RefusedPickle("the pickle makes an object of no class")
        self.stack.append(self._called(items[0], tuple(items[1:])))

    @staticmethod
    def _called(function: Any, arguments: Any) -> Any:
        """Rebuild data by one of our own functions; every other call becomes opaque."""
        if isinstance(function, Opaque):
            return Opaque(function.name)
        if not isinstance(function, Rebuilder) or not isinstance(arguments, tuple):
            raise RefusedPickle("the pickle calls something other than a function")
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

    @staticmethod
    def _extend(target: Any, items: list[Any]) -> None:
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

    @staticmethod
    def _update(target: Any, items: list[Any]) -> None:
        if isinstance(target, Opaque):
            return
        if not isinstance(target, dict):
            raise RefusedPickle("the pickle fills something other than a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[hashable(key)] = value

    def add_items(self, _: Any) -> None:
        items, target = self.to_mark(), self.top()
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
        self.stack.append(tuple(self.to_mark()))

    def make_frozenset(self, _: Any) -> None:
        self.stack.append(frozenset(map(hashable, self.to_mark())))

    def tuple_of(self, length: int) -> None:
        self.stack.append(tuple(reversed([self.pop() for _ in range(length)])))

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.top())

    def drop_to_mark(self, _: Any) -> None:
        self.to_mark()


IGNORED = frozenset({"PROTO", "FRAME"})
NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
LITERALS = frozenset((*NUMBERS, *TEXTS, *BYTES))
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}
ACTIONS: dict[str, Callable[[_PickleMachine, Any], None]] = {
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
