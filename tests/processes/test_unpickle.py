"""Prove that reading a stranger's checkpoint runs nothing of it, and loses no tensor and no plain data."""

import contextlib
import copyreg
import io
import os
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from trainers.errors import TrialError
from trainers.formats.torch_data import read_data
from trainers.formats.weights import read_checkpoint, read_state_dict
from trainers.schema.pickled_objects import Opaque, RefusedPickle

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
Build = Callable[[Path], bytes]

# ----------------------------------------------------------------------------------------------------- hostile pickles
# Each writes ``marker`` when Python's own unpickler reads it, which the test proves first.


class Stateful:
    """Act when it gets its state back."""

    def __setstate__(self, state: str) -> None:
        Path(state).touch()


class Greedy(list):  # type: ignore[type-arg]
    """Act when something is appended."""

    def append(self, item: str) -> None:
        Path(item).touch()

    def extend(self, items: Any) -> None:
        for item in items:
            self.append(item)


class Filled(dict):  # type: ignore[type-arg]
    """Act when a key is set."""

    def __setitem__(self, key: str, value: str) -> None:
        Path(value).touch()


class Key:
    """Act when it is hashed."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __hash__(self) -> int:
        Path(self.path).touch()
        return 1


class New:
    """Act when it is made."""

    def __new__(cls, path: str = "") -> "New":
        if path:
            Path(path).touch()
        return super().__new__(cls)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def own(kind: type) -> bytes:
    return name(kind.__module__, kind.__qualname__)


def text(value: object) -> bytes:
    encoded = str(value).encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def path(marker: Path) -> bytes:
    return name("pathlib", "Path") + text(marker) + b"\x85R"


def touch(marker: Path) -> bytes:
    return text(f"touch {marker}")


def script(marker: Path) -> Path:
    file = marker.with_name("script.py")
    file.write_text(f"open({str(marker)!r}, 'w').close()")
    return file


SYSTEM = name("os", "system")
HOSTILE: dict[str, Build] = {
    "reduce": lambda m: SYSTEM + touch(m) + b"\x85R.",
    "eval": lambda m: name("builtins", "eval") + text(f"open({str(m)!r}, 'w')") + b"\x85R.",
    "eval-python-2-name": lambda m: name("__builtin__", "eval") + text(f"open({str(m)!r}, 'w')") + b"\x85R.",
    "exec": lambda m: name("builtins", "exec") + text(f"open({str(m)!r}, 'w')") + b"\x85R.",
    "getattr": lambda m: name("builtins", "getattr") + path(m) + text("touch") + b"\x86R)R.",
    "partial": lambda m: name("functools", "partial") + SYSTEM + touch(m) + b"\x86\x81)R.",
    "new-object": lambda m: own(New) + text(m) + b"\x85\x81.",
    "new-object-with-keywords": lambda m: b"\x80\x04" + own(New) + b")}" + text("path") + text(m) + b"s\x92.",
    "instance": lambda m: b"(" + touch(m) + b"ios\nsystem\n.",
    "object": lambda m: b"(" + SYSTEM + touch(m) + b"o.",
    "stack-global": lambda m: b"\x80\x04" + text("os") + text("system") + b"\x93" + touch(m) + b"\x85R.",
    "dotted-name": lambda m: b"\x80\x04" + text("pathlib") + text("Path.touch") + b"\x93" + path(m) + b"\x85R.",
    "memo": lambda m: SYSTEM + b"q\x07" + b"0" + touch(m) + b"\x85q\x080h\x07h\x08R.",
    "state": lambda m: own(Stateful) + b")R" + text(m) + b"b.",
    "append": lambda m: own(Greedy) + b")R" + text(m) + b"a.",
    "extend": lambda m: own(Greedy) + b")R(" + text(m) + b"e.",
    "set-item": lambda m: own(Filled) + b")R" + text("key") + text(m) + b"s.",
    "set-items": lambda m: own(Filled) + b")R(" + text("key") + text(m) + b"u.",
    "hash-of-a-key": lambda m: b"}" + own(Key) + text(m) + b"\x85RK\x01s.",
    "hash-in-a-set": lambda m: b"\x80\x04\x8f(" + own(Key) + text(m) + b"\x85R\x90.",
    "lazy-map": lambda m: name("builtins", "list") + name("builtins", "map") + SYSTEM + b"]" + touch(m) + b"a\x86R\x85R.",
    "dictionary-of-a-map": lambda m: (
        name("collections", "OrderedDict") + name("builtins", "map") + SYSTEM + b"]" + touch(m) + b"a\x86R\x85R."
    ),
    "rebuild-by-anything": lambda m: (
        name("torch._tensor", "_rebuild_from_type_v2") + b"(" + SYSTEM + name("torch", "Tensor") + touch(m) + b"\x85}tR."
    ),
    "nested-pickle": lambda m: name("pickle", "loads") + name("_codecs", "encode") + text((SYSTEM + touch(m) + b"\x85R.").decode("latin1")) + text("latin1") + b"\x86R\x85R.",
    "run-a-file": lambda m: name("runpy", "run_path") + text(script(m)) + b"\x85R.",
    "copyreg": lambda m: name("copyreg", "__newobj__") + own(New) + text(m) + b"\x86R.",
    "persistent-id": lambda m: b"(" + text("storage") + SYSTEM + touch(m) + b"\x85R" + text("0") + text("cpu") + b"K\x01tQ.",
}  # fmt: skip


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def as_zip(payload: bytes, target: Path) -> Path:
    """Put a pickle where torch keeps its own, beside a storage."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(64))
        archive.writestr("archive/version", "3\n")
    return target


def as_legacy(payload: bytes, target: Path) -> Path:
    header = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    target.write_bytes(
        b"".join(pickle.dumps(part, protocol=2) for part in header) + payload + pickle.dumps([], protocol=2)
    )
    return target


class Python(pickle.Unpickler):
    """Read like Python does, persistent ids included."""

    def persistent_load(self, identity: Any) -> Any:
        return identity


@pytest.mark.parametrize("build", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_in_a_hostile_pickle_is_run(build: Build, marker: Path) -> None:
    payload = build(marker)
    for write in (as_zip, as_legacy):
        file = write(payload, marker.with_name("file.pth"))
        for read in (read_data, read_checkpoint):
            with contextlib.suppress(TrialError, ValueError):
                read(file)
            assert not marker.exists()
    with contextlib.suppress(TypeError, AttributeError):  # after the deed, of a result that is not what comes next
        Python(io.BytesIO(payload)).load()
    assert marker.exists(), "the pickle is not hostile: this test proves nothing"


@pytest.mark.parametrize(
    "code", [(0x82, "<B", 77), (0x83, "<H", 777), (0x84, "<I", 77777)], ids=["ext1", "ext2", "ext4"]
)
def test_names_in_the_extension_registry_are_not_used(code: tuple[int, str, int], marker: Path) -> None:
    opcode, form, number = code
    copyreg.add_extension("os", "system", number)
    try:
        payload = bytes([opcode]) + struct.pack(form, number) + touch(marker) + b"\x85R."
        assert isinstance(read_data(as_zip(payload, marker.with_name("file.pth"))), Opaque)
        assert not marker.exists()
        pickle.loads(payload)
        assert marker.exists()
    finally:
        copyreg.remove_extension("os", "system", number)


@pytest.mark.parametrize(
    "target", [name("torch._utils", "_rebuild_tensor_v2"), name("collections", "OrderedDict"), name("os", "system")]
)
def test_a_file_cannot_change_what_it_names(target: bytes, tmp_path: Path) -> None:
    before = torch._utils._rebuild_tensor_v2.__defaults__, dict(vars(os))
    state = b"N}" + text("__defaults__") + b"K\x01K\x02\x86s\x86b."
    read_data(as_zip(target + state, tmp_path / "file.pth"))
    assert (torch._utils._rebuild_tensor_v2.__defaults__, dict(vars(os))) == before


def test_keys_that_take_forever_to_hash_are_not_hashed(tmp_path: Path) -> None:
    nested = b")" + b"2\x86" * 64  # a pair of the pair of the pair ...: 2 to the 64th steps
    assert isinstance(next(iter(read_data(as_zip(b"}" + nested + b"Ns.", tmp_path / "file.pth")))), Opaque)


# ------------------------------------------------------------------------------------------------------------- contents


def content() -> dict[str, Any]:
    """Return what a training run of mmengine saves, and each kind of data that there is."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.rand(4, 2)).square().sum().backward()
    optimizer.step()
    hub = MessageHub("test_unpickle")
    hub.update_scalar("train/loss", 0.5)
    return {
        "state_dict": model.state_dict(),
        "message_hub": hub.state_dict(),  # holds HistoryBuffers, whose pickles call builtins.getattr
        "optimizer": optimizer.state_dict(),
        "transposed": torch.arange(6).reshape(2, 3).t(),
        "part": torch.arange(6.0)[2:4],
        "half": torch.ones(3, dtype=torch.bfloat16),
        "eight": torch.ones(3).to(torch.float8_e4m3fn),
        "unsigned": torch.ones(3, dtype=torch.uint16),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
        "types": (torch.float16, torch.device("cpu"), torch.Size([2, 3])),
        "array": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "number": np.float64(0.4),
        "plain": {1: [True, None, 1.5, -(2**70), "text", b"\xff"], ("a", 1): {2, 3}, "complex": 1 + 2j},
        "ordered": OrderedDict(b=1, a=2),
        "counter": Counter(b=1, a=2),
    }


@pytest.mark.parametrize(
    "how",
    [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}, {"pickle_protocol": 5}],
    ids=["zip", "legacy", "protocol-4", "protocol-5"],
)
def test_data_beside_objects_is_read_whole(how: dict[str, Any], tmp_path: Path) -> None:
    saved = content()
    torch.save(saved, tmp_path / "file.pth", **how)
    found = read_data(tmp_path / "file.pth")
    assert found.keys() == saved.keys()
    for key in ("transposed", "part", "half", "unsigned", "scalar", "empty", "parameter"):
        assert found[key].dtype == saved[key].dtype
        assert torch.equal(found[key], saved[key])
    assert torch.equal(found["eight"].float(), saved["eight"].float())
    assert all(torch.equal(found["state_dict"][key], value) for key, value in saved["state_dict"].items())
    momentum = {key: value["momentum_buffer"] for key, value in saved["optimizer"]["state"].items()}
    assert all(
        torch.equal(found["optimizer"]["state"][key]["momentum_buffer"], value) for key, value in momentum.items()
    )
    assert found["optimizer"]["param_groups"] == saved["optimizer"]["param_groups"]
    assert found["types"] == saved["types"]
    assert found["array"].dtype == saved["array"].dtype
    assert np.array_equal(found["array"], saved["array"])
    for key in ("number", "plain", "ordered"):
        assert found[key] == saved[key]
        assert type(found[key]) is type(saved[key])
    assert isinstance(found["message_hub"]["log_scalars"]["train/loss"], Opaque)


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
def test_weights_beside_a_training_log_are_loaded(how: dict[str, Any], tmp_path: Path) -> None:
    saved = content()
    torch.save(saved, tmp_path / "file.pth", **how)
    state = read_state_dict(tmp_path / "file.pth")
    assert state.keys() == saved["state_dict"].keys()
    assert all(torch.equal(value, state[key]) for key, value in saved["state_dict"].items())


def test_a_whole_model_is_told_from_its_weights(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "file.pth")
    with pytest.raises(
        TrialError, match=r"holds a torch\.nn\.modules\.linear\.Linear, not its weights: save its state_dict"
    ):
        read_state_dict(tmp_path / "file.pth")


# --------------------------------------------------------------------------------------------------------------- damage

STORAGE = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x10tQ"
REBUILD = name("torch._utils", "_rebuild_tensor_v2") + b"("


def tensor(offset: bytes = b"K\x00", size: bytes = b"K\x10\x85", stride: bytes = b"K\x01\x85") -> bytes:
    return REBUILD + STORAGE + offset + size + stride + b"\x89NtR."


DAMAGED: dict[str, bytes] = {
    "no-end": b"}",
    "empty-stack": b".",
    "more-taken-than-put": b"0.",
    "taken-below-a-mark": b"N(0R.",
    "no-mark": b"}u.",
    "odd-items": b"}(Nu.",
    "unknown-memo": b"h\x05.",
    "unknown-opcode": b"\xff.",
    "out-of-band-buffer": b"\x97.",
    "call-of-a-number": b"K\x01)R.",
    "call-of-a-type": name("torch", "float32") + b")R.",
    "append-to-a-tensor": tensor()[:-1] + b"Na.",
    "item-of-a-list": b"]NNs.",
    "name-that-is-no-text": b"K\x01K\x02\x93.",
    "enormous-text": b"\x8d" + struct.pack("<Q", 2**62) + b"short.",
    "enormous-bytearray": b"\x96" + struct.pack("<Q", 2**62) + b"short.",
    "storage-out-of-range": tensor(offset=b"K\x01"),
    "negative-stride": tensor(stride=b"J\xff\xff\xff\xff\x85"),
    "negative-size": tensor(size=b"J\xff\xff\xff\xff\x85"),
    "more-strides-than-sides": tensor(stride=b"K\x01K\x01\x86"),
    "shape-of-text": tensor(size=text("16") + b"\x85"),
    "tensor-of-no-storage": REBUILD + b"NK\x00))\x89NtR.",
    "storage-that-is-not-there": tensor().replace(text("0"), text("1")),
    "storage-longer-than-its-record": tensor().replace(b"K\x10tQ", b"K\x11tQ"),
    "storage-longer-than-the-file": tensor().replace(b"K\x10tQ", b"J\xff\xff\xff\x7ftQ"),
    "storage-of-another-type": tensor().replace(name("torch", "FloatStorage"), name("torch", "float32")),
    "persistent-id-that-is-text": text("storage") + b"Q.",
    "persistent-id-in-a-line": b"Pstorage\n.",
    "array-with-too-few-bytes": (
        name("numpy._core.multiarray", "_reconstruct") + b"NNN\x87R(K\x01K\x09\x85" + name("numpy", "dtype") + text("f8")
        + b"\x85R\x89C\x01xtb."
    ),
    "big-endian-numbers": name("numpy", "dtype") + text("f8") + b"\x85RK\x03" + text(">") + b"\x86b.",
}  # fmt: skip


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_pickle_is_one_sentence(payload: bytes, tmp_path: Path) -> None:
    file = as_zip(payload, tmp_path / "file.pth")
    with pytest.raises((RefusedPickle, ValueError, KeyError, RuntimeError)):
        read_data(file)
    with pytest.raises(TrialError, match=r"file\.pth is damaged, or is no checkpoint") as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def hostile_content() -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": nn.Linear(8, 8).state_dict(), "object": Stateful}, stream)
    return stream.getvalue()


def legacy_content() -> bytes:
    stream = io.BytesIO()
    torch.save(
        {"state_dict": nn.Linear(8, 8).state_dict(), "object": Stateful}, stream, _use_new_zipfile_serialization=False
    )
    return stream.getvalue()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("whole", [hostile_content(), legacy_content()], ids=["zip", "legacy"])
def test_a_file_that_is_cut_short_is_one_sentence(whole: bytes, share: float, tmp_path: Path) -> None:
    file = tmp_path / "file.pth"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TrialError, match=r"file\.pth is (empty|cut short|damaged, or is no checkpoint)") as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", range(40))
def test_a_flipped_bit_in_the_pickle_is_a_trial_error_or_harmless(place: int, tmp_path: Path) -> None:
    for whole in (hostile_content(), legacy_content()):
        damaged = bytearray(whole)
        start = whole.index(b"state_dict") - 20
        damaged[start + place] ^= 1 << (place % 8)
        (tmp_path / "file.pth").write_bytes(damaged)
        with contextlib.suppress(TrialError):
            read_checkpoint(tmp_path / "file.pth")


@pytest.mark.parametrize("names", [["readme.txt"], ["a/data.pkl", "b/data.pkl"]], ids=["no-pickle", "two-pickles"])
def test_an_archive_of_something_else_is_one_sentence(names: list[str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.pth", "w") as archive:
        for entry in names:
            archive.writestr(entry, HOSTILE["reduce"](tmp_path / "marker"))
    with pytest.raises(RefusedPickle, match="the archive holds no pickle"):
        read_data(tmp_path / "file.pth")
    with pytest.raises(TrialError, match="is damaged, or is no checkpoint"):
        read_checkpoint(tmp_path / "file.pth")


def test_a_compressed_record_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.pth", "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    with pytest.raises(RefusedPickle, match="are compressed"):
        read_data(tmp_path / "file.pth")
