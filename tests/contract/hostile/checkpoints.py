"""Make hostile checkpoints of both of torch's formats: chosen ones that cost much, and random sequences of opcodes."""

import copy
import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.contract.hostile.bounded import Case
from tests.contract.hostile.mutation import damaged

HEADER = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
P = 2**61 - 1  # integers that differ by multiples of it have one hash
Payload = bytes


def text(value: str) -> bytes:
    """Return opcodes that push a text."""
    encoded = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def name(module: str, attribute: str) -> bytes:
    """Return opcodes that push a global."""
    return f"c{module}\n{attribute}\n".encode()


def number(value: int) -> bytes:
    """Return opcodes that push an integer."""
    return pickle.dumps(value, 2)[2:-1]


def doubled(times: int) -> bytes:
    """Return opcodes that push a tuple of a tuple twice, and so on: 2 to the power of ``times`` leaves."""
    return b")" + b"2\x86" * times


def storage(key: str, elements: int, kind: str = "FloatStorage") -> bytes:
    """Return opcodes that push a storage."""
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(elements) + b"tQ"


def tensor(size: bytes, stride: bytes, elements: int = 4, offset: int = 0) -> bytes:
    """Return opcodes that push a tensor."""
    made = storage("0", elements) + number(offset) + size + stride
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + made
        + b"\x89"
        + name("collections", "OrderedDict")
        + b")RtR"
    )


def remade(module: str, function: str, content: bytes, times: int) -> bytes:
    """Return opcodes that call a function many times on one object."""
    call = b"h\x01h\x00\x85R"
    return content + b"q\x000" + name(module, function) + b"q\x010](" + call * times + b"e"


MEGABYTE = text("x" * 1_000_000)
SHAPE = b"(" + b"K\x04" * 20_000 + b"t"
PAYLOADS: dict[str, Payload] = {
    "key of a doubled tuple": b"}" + doubled(60) + b"Ns",
    "key in a set": b"\x80\x04\x8f(" + doubled(60) + b"\x90",
    "key in a frozenset": b"\x80\x04(" + doubled(60) + b"\x91",
    "key of an ordered dictionary": name("collections", "OrderedDict") + b"](" + doubled(60) + b"N\x86e\x85R",
    "key by keyword": b"}(" + doubled(60) + b"Nu",
    "set of a list": name("builtins", "set") + b"](" + doubled(60) + b"e\x85R",
    "long tuple as a key, often": b"(" + b"N" * 50_000 + b"tq\x000}(" + b"h\x00N" * 20_000 + b"u",
    "long number as a key, often": b"\x8b" + struct.pack("<i", 30_000) + b"\x7f" * 30_000 + b"q\x000}(" + b"h\x00N" * 20_000 + b"u",
    "numbers of one hash": b"}(" + b"".join(number(n * P) + b"N" for n in range(30_000)) + b"u",
    "numbers of one hash in a set": b"\x80\x04\x8f(" + b"".join(number(n * P) for n in range(30_000)) + b"\x90",
    "pairs of one hash": b"}(" + b"".join(number(n * P) + number(-n * P) + b"\x86N" for n in range(30_000)) + b"u",
    "halves that are numbers": b"}(" + b"".join(b"G" + struct.pack(">d", float(n << 44)) + b"N" for n in range(30_000)) + b"u",
    "lists in lists": b"]" * 20_000 + b"a" * 19_999,
    "lists in lists, long": b"]" * 30_000 + b"a" * 1_000,
    "tuples in tuples": b")" + b"\x85" * 30_000,
    "dictionaries in dictionaries": b"}" + b"N}" * 30_000 + b"s" * 30_000,
    "objects in objects": name("os", "system") + b"\x85R" * 20_000,
    "doubled list": b"]" + b"q\x01]h\x01ah\x01a" * 30_000,
    "itself": b"]q\x00h\x00a",
    "itself as its key": b"}q\x00h\x00h\x00s",
    "bytearrays of one text": remade("builtins", "bytearray", MEGABYTE + text("latin1") + b"\x86", 4000),
    "bytes of one text": remade("_codecs", "encode", MEGABYTE, 4000),
    "bytearrays of bytes": b"B" + struct.pack("<I", 1_000_000) + bytes(1_000_000) + b"q\x000" + name("builtins", "bytearray") + b"q\x010](" + b"h\x01h\x00\x85R" * 4000 + b"e",
    "sets of one list": remade("builtins", "set", b"](" + b"N" * 50_000 + b"e", 4000),
    "frozensets of one list": remade("builtins", "frozenset", b"](" + b"N" * 50_000 + b"e", 4000),
    "ordered dictionaries of one list": remade("collections", "OrderedDict", b"](" + b"NN\x86" * 30_000 + b"e", 4000),
    "sizes of one tuple": remade("torch", "Size", SHAPE, 4000),
    "complex numbers of one text": remade("builtins", "complex", text("1" * 1_000_000), 4000),
    "arrays of one text": remade("numpy", "dtype", text("f" + "8" * 1_000_000), 4000),
    "a type of a long text": name("numpy", "dtype") + text("U" + "9" * 30) + b"\x85R",
    "an array of nothing, much": name("numpy", "dtype") + text("S0") + b"\x85Rq\x000" + name("numpy.core.multiarray", "_reconstruct") + b")R(K\x01" + number(10**9) + b"\x85h\x00\x89" + b"C\x00" + b"tb",
    "an array of no side": name("numpy", "dtype") + text("f8") + b"\x85Rq\x000" + name("numpy.core.multiarray", "_reconstruct") + b")R(K\x01(" + number(2**62) * 30 + b"K\x00th\x00\x89C\x00tb",
    "an array of many sides": name("numpy", "dtype") + text("f8") + b"\x85Rq\x000" + name("numpy.core.multiarray", "_reconstruct") + b")R(K\x01" + SHAPE + b"h\x00\x89C\x00tb",
    "an array in an array": name("numpy.core.multiarray", "_reconstruct") + b")Rq\x00(K\x01)h\x00\x89h\x00tb",
    "names of long texts": MEGABYTE + b"q\x000(" + b"h\x00h\x00\x93" * 6_000 + b"t",
    "instances of a long name": b"(" + b"((i" + b"a" * 30_000 + b"\nb\n1" * 10,
    "a long line": b"c" + b"a" * 3_000_000 + b"\nb\n",
    "a line without end": b"c" + b"a" * 3_000_000,
    "a long decimal": b"I" + b"9" * 40_000 + b"\n",
    "a long decimal of python 2": b"L" + b"9" * 40_000 + b"L\n",
    "a long float": b"F" + b"9" * 900_000 + b"\n",
    "a long escaped text": b"S'" + b"\\x41" * 250_000 + b"'\n",
    "a long escaped text of unicode": b"V" + b"\\U0001F600" * 90_000 + b"\n",
    "a wide text": text("x" * 4_000_000 + "\U0001f600"),
    "many wide texts": (text("x" * 1_000_000 + "\U0001f600") + b"0") * 4,
    "a length that is not there": b"\x8e" + struct.pack("<Q", 2**40) + b"x",
    "the longest length": b"\x8d" + struct.pack("<Q", 2**63 - 1) + b"x",
    "a length beyond all": b"\x96" + struct.pack("<Q", 2**64 - 1) + b"x",
    "a text length that is not there": b"X" + struct.pack("<I", 2**32 - 1) + b"x",
    "a number that is not there": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "a number of a negative length": b"\x8b" + struct.pack("<i", -1),
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 2**63 - 1) + b"N",
    "a memo that is sparse": b"](" + b"".join(b"N" + b"r" + struct.pack("<I", n * 40_000) for n in range(30_000)) + b"e",
    "many empty lists": b"(" + b"]" * 40_000 + b"l",
    "many empty dictionaries": b"(" + b"}" * 40_000 + b"l",
    "many empty sets": b"\x80\x04(" + b"\x8f" * 40_000 + b"l",
    "many dictionaries of one key": b"(" + b"}NNs" * 20_000 + b"l",
    "many sets of one key": b"\x80\x04(" + b"\x8f(N\x90" * 20_000 + b"l",
    "many marks": b"(" * 30_000,
    "many globals": b"(" + name("os", "system") * 30_000 + b"t",
    "many calls": name("os", "system") + b"q\x000(" + b"h\x00)R" * 20_000 + b"t",
    "many nothings": b"N" * 40_000,
    "more nothings": b"N0" * 800_000,
    "a billion steps of nothing": b"h\x00" * 30_000,
    "many storages": b"(" + b"".join(storage(str(n), 0) for n in range(20_000)) + b"t",
    "many tensors": b"(" + (tensor(b"K\x01\x85", b"K\x01\x85") * 1 + b"q\x05") + b"h\x05" * 30_000 + b"t",
    "many views": name("torch._utils", "_rebuild_tensor_v2") + b"q\x000" + storage("0", 4) + b"q\x010(" + b"h\x00(h\x01K\x00))\x89}tR" * 30_000 + b"t",
    "a storage of a terabyte": tensor(b"K\x01\x85", b"K\x01\x85", elements=2**38),
    "a storage of more than all": tensor(b"K\x01\x85", b"K\x01\x85", elements=2**70),
    "a storage of less than nothing": tensor(b"K\x01\x85", b"K\x01\x85", elements=-4),
    "a view beyond the end": tensor(number(10**9) + b"\x85", b"K\x01\x85"),
    "a view that starts beyond": tensor(b"K\x01\x85", b"K\x01\x85", offset=2**40),
    "a view before the start": tensor(b"K\x01\x85", b"K\x01\x85", offset=-1),
    "a negative side": tensor(number(-1) + b"\x85", b"K\x01\x85"),
    "a negative stride": tensor(b"K\x04\x85", number(-1) + b"\x85"),
    "a view of a trillion": tensor(number(10**6) + number(10**6) + b"\x86", b"K\x00K\x00\x86"),
    "a view of too many": tensor(number(2**62) + number(2**62) + b"\x86", b"K\x00K\x00\x86"),
    "a view of 20,000 sides": tensor(SHAPE, SHAPE),
    "a tensor of a tensor": name("torch._utils", "_rebuild_tensor_v2") + b"(" + tensor(b"K\x02K\x02\x86", b"K\x02K\x01\x86") + b"K\x00K\x01\x85K\x01\x85\x89}tR",
    "a device of a long text": name("torch", "device") + MEGABYTE + b"\x85R",
    "names of classes without end": b"}" + text("meta") + b"}" + text("CLASSES") + b"(" + MEGABYTE * 2 + b"tss",
    "a distiller of nothing": b"}" + text("state_dict") + b"}" + text("student.") + b"Nss",
    "no mark": b"NNt",
    "nothing left": b"000",
    "no end": b"",
    "an unknown opcode": b"\xff",
    "a persistent id of nothing": b"NQ",
    "a persistent id of itself": b"]q\x00h\x00aQ",
}  # fmt: skip
Archive = Callable[[], bytes]


def as_legacy(payload: bytes, keys: bytes | None = None) -> bytes:
    """Return a file of torch's format before 1.6."""
    return HEADER + payload + b"." + (pickle.dumps([], 2) if keys is None else keys)


def as_zip(payload: bytes, records: dict[str, bytes] | None = None) -> bytes:
    """Return a file of torch's format since 1.6, with a storage of 16 bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", payload + b".")
        for key, content in (
            {"byteorder": b"little", "data/0": bytes(16), "version": b"3\n"} | (records or {})
        ).items():
            archive.writestr(f"archive/{key}", content)
    return target.getvalue()


def _bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"N" * 100_000_000)
    return target.getvalue()


def _overlapping() -> bytes:
    target = io.BytesIO(
        as_zip(b"(" + b"".join(storage(str(n), 250_000) for n in range(1000)) + b"t", {"data/0": bytes(1_000_000)})
    )
    with zipfile.ZipFile(target, "a") as archive:
        [record] = [one for one in archive.infolist() if one.filename.endswith("data/0")]
        for key in range(1, 1000):
            archive.filelist.append(copy.copy(record))
            archive.filelist[-1].filename = f"archive/data/{key}"
        archive.writestr("last", "")
    return target.getvalue()


def _long_index() -> bytes:
    """Return an archive whose index names one record 300,000 times."""
    whole = as_zip(b"}")
    end = whole.rfind(b"PK\5\6")
    size, start = struct.unpack("<II", whole[end + 12 : end + 20])
    index = whole[start : start + size] * 1200
    return whole[:start] + index + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(index), start, 0)


ARCHIVES: dict[str, Archive] = {
    "a bomb": _bomb,
    "records that overlap": _overlapping,
    "a long index": _long_index,
    "a byte order of a megabyte": lambda: as_zip(b"}", {"byteorder": b"x" * 5_000_000}),
    "two pickles": lambda: as_zip(b"}", {"../other/data.pkl": b"}."}),
    "a name of 60,000": lambda: as_zip(b"}", {"a" * 60_000: b""}),
    "keys that double": lambda: as_legacy(b"}", b"]q\x01" + b"]h\x01ah\x01aq\x01" * 60 + b"\x85]q\x02h\x01a."),
    "keys that are deep": lambda: as_legacy(b"}", b"]" * 100_000 + b"a" * 99_999 + b"."),
    "a legacy storage that is not there": lambda: as_legacy(storage("0", 2), pickle.dumps(["0"], 2)),
    "a legacy storage of another length": lambda: as_legacy(storage("0", 2), pickle.dumps(["0"], 2) + struct.pack("<Q", 2**60) + bytes(8)),
    "a legacy file of one storage twice": lambda: as_legacy(storage("0", 2), pickle.dumps(["0", "0"], 2) + bytes(40)),
    "a tar": lambda: b"pickle" + bytes(100) + b"ustar\x0000" + bytes(900),
    "only the magic": lambda: HEADER,
    "only zip's end": lambda: b"PK\5\6" + bytes(18),
    "zip64 that lies": lambda: b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2**40, 2**40, 2**40, 0) + b"PK\6\7" + struct.pack("<IQI", 0, 0, 1) + b"PK\5\6" + b"\xff" * 16 + bytes(2),
}  # fmt: skip


CHOSEN = 2 * len(PAYLOADS) + len(ARCHIVES)


def chosen() -> Iterator[Case]:
    """Yield each payload in both formats, and the archives."""
    for label, payload in PAYLOADS.items():
        inside = (
            b"}" + text("state_dict") + b"}" + text("weight") + payload + b"ss"
            if b"\x80\x04" not in payload
            else payload
        )
        yield Case(f"zip: {label}", as_zip(inside if len(label) % 2 else payload), ".pth")
        yield Case(f"legacy: {label}", as_legacy(payload), ".pth")
    for label, make in ARCHIVES.items():
        yield Case(label, make(), ".pth")


def cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield a whole checkpoint, then random opcodes of which some make the canary, then damaged checkpoints."""
    whole = as_zip(
        b"}" + text("state_dict") + b"}" + text("weight") + tensor(b"K\x02K\x02\x86", b"K\x02K\x01\x86") + b"ss"
    )
    yield Case("whole", whole, ".pth")
    chance = random.Random(seed)
    acts = _acts(canary)
    for number_ in range(count - 1):
        payload = _sequence(chance, acts)
        content = as_zip(payload) if chance.random() < 0.5 else as_legacy(payload)
        if chance.random() < 0.3:
            content = damaged(content if chance.random() < 0.5 else whole, chance)
        yield Case(f"opcodes {number_}", content, ".pth")


def _acts(canary: Path) -> list[bytes]:
    """Return opcodes that make the canary in Python's own reader."""
    path, touch = str(canary), f"touch {canary}"
    return [
        name("os", "system") + text(touch) + b"\x85R",
        name("builtins", "eval") + text(f"open({path!r}, 'w')") + b"\x85R",
        name("subprocess", "getoutput") + text(touch) + b"\x85R",
        b"(" + text(touch) + b"ios\nsystem\n",
        b"(" + name("os", "system") + text(touch) + b"o",
        name("pathlib", "Path")
        + text(path)
        + b"\x85R"
        + b"q\x100"
        + name("builtins", "getattr")
        + b"h\x10"
        + text("touch")
        + b"\x86R)R",
        name("torch._tensor", "_rebuild_from_type_v2")
        + b"("
        + name("os", "system")
        + name("torch", "Tensor")
        + text(touch)
        + b"\x85}tR",
    ]


def _sequence(chance: random.Random, acts: list[bytes]) -> bytes:
    """Return opcodes that leave something on the stack, more often than not in an order that has a meaning."""
    values = [
        b"N", b"K\x07", b"]", b"}", b")", b"\x8f", text("key"), text("state_dict"), number(2**70), b"G" + bytes(8), b"C\x03abc",
        doubled(chance.choice((1, 3, 40))), name("collections", "OrderedDict"), name("numpy", "dtype"), name("torch", "Size"),
        name("torch", "float32"), tensor(b"K\x02K\x02\x86", b"K\x02K\x01\x86"), storage("0", chance.choice((0, 4, 2**40))), *acts,
    ]  # fmt: skip
    steps = [b"(", b"0", b"1", b"2", b"t", b"l", b"d", b"a", b"e", b"s", b"u", b"\x85", b"\x86", b"\x87", b"R", b"\x81", b"\x92",
             b"b", b"o", b"Q", b"q\x00", b"h\x00", b"\x90", b"\x91", b"\x93", b"\x94", b"\x82\x01", b"\x97"]  # fmt: skip
    found = b"".join(chance.choice(values if chance.random() < 0.6 else steps) for _ in range(chance.randint(1, 40)))
    return b"}" + text("state_dict") + b"](" + found + b"es" if chance.random() < 0.5 else b"](" + found + b"e"


def all_cases(count: int, seed: int, canary: Path) -> Iterator[Case]:
    """Yield a whole checkpoint, which loads torch, random and damaged ones, then the chosen ones."""
    yield from cases(count - CHOSEN, seed, canary)
    yield from chosen()
