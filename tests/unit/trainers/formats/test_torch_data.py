"""A checkpoint's storages are those that its pickle names, no more and no less; shapes and parts lie within their bounds."""

import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.formats.pretrained import _converted
from trainers.formats.rebuild import LARGEST_SIDE, MOST_SIDES, _tensor, _whole
from trainers.formats.torch_data import MAGIC, PROTOCOL, _identity, _part, _Storages, read_data
from trainers.schema.pickled_objects import RefusedPickle
from trainers.schema.pretrained import Pretrained


def legacy(
    path: Path, content: Any, keys: Any, rest: bytes = b"", header: tuple[Any, ...] = (MAGIC, PROTOCOL, {})
) -> Path:
    """Write torch's format before 1.6 by hand."""
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in (*header, content, keys)) + rest)
    return path


def test_a_legacy_file_without_storages_is_read(tmp_path):
    assert read_data(legacy(tmp_path / "a", {"a": 1}, [])) == {"a": 1}


@pytest.mark.parametrize("keys", [["x"], "", (), None, [1], {}])
def test_keys_that_the_pickle_does_not_refer_to_are_refused(keys, tmp_path):
    with pytest.raises(Exception, match="does not hold the storages that its pickle refers to"):
        read_data(legacy(tmp_path / "a", {"a": 1}, keys))


@pytest.mark.parametrize("header", [(MAGIC + 1, PROTOCOL, {}), (MAGIC, PROTOCOL + 1, {})])
def test_another_beginning_is_refused(header, tmp_path):
    with pytest.raises(Exception, match=r"not begin as torch's|no checkpoint"):
        read_data(legacy(tmp_path / "a", {"a": 1}, [], header=header))


def test_a_storage_of_another_length_is_refused(tmp_path):
    torch.save({"w": torch.arange(3.0)}, tmp_path / "w", _use_new_zipfile_serialization=False)
    content = (tmp_path / "w").read_bytes()
    assert read_data(tmp_path / "w")["w"].tolist() == [0.0, 1.0, 2.0]
    for count in (2, 4):
        (tmp_path / "w").write_bytes(content[:-20] + struct.pack("<q", count) + content[-12:])
        with pytest.raises(Exception, match="longer or shorter than the pickle says"):
            read_data(tmp_path / "w")
    (tmp_path / "w").write_bytes(content[:-1])
    with pytest.raises(Exception, match="shorter than the pickle says"):
        read_data(tmp_path / "w")


@pytest.mark.parametrize(
    ("numbers", "fits"),
    [
        ((), True), ((0,), True), ((LARGEST_SIDE - 1,), True), ((LARGEST_SIDE,), False), ((-1,), False), ((1.0,), False), ((True,), False), ([1], False),
        ((1,) * MOST_SIDES, True), ((1,) * (MOST_SIDES + 1), False), (None, False),
    ],
)  # fmt: skip
def test_shapes_are_short_tuples_of_numbers_in_bounds(numbers, fits):
    if fits:
        assert _whole(numbers) == numbers
    else:
        with pytest.raises(RefusedPickle, match="a shape that is none"):
            _whole(numbers)


def test_a_tensor_is_a_view_of_its_storage_within_bounds():
    storage = torch.arange(6.0)
    assert _tensor(storage, 1, (2, 2), (2, 1)).tolist() == [[1, 2], [3, 4]]
    assert _tensor(storage[2:], 1, (2,), (1,)).tolist() == [3, 4]
    for arguments in (
        (storage, -1, (1,), (1,)),
        (storage, 0.0, (1,), (1,)),
        (storage.view(2, 3), 0, (1,), (1,)),
        ([0], 0, (1,), (1,)),
        (storage, 0, (1,), (1, 1)),
    ):
        with pytest.raises(RefusedPickle):
            _tensor(*arguments)


@pytest.mark.parametrize(
    "identity",
    [None, ("storage", 1), ("other", None, "k", "cpu", 1), ("storage", None, "k", "cpu", 1), ("storage",) * 7],
)
def test_what_refers_to_no_storage_is_refused(identity):
    with pytest.raises(RefusedPickle):
        _identity(identity)


def test_parts_of_a_storage_are_named_by_whole_numbers():
    storage = torch.arange(6.0)
    assert _part(storage, None) is storage
    assert _part(storage, ("k", 2, 3)).tolist() == [2, 3, 4]
    for view in (("k", 2), ("k", 2.0, 3), ["k", 2, 3], ("k", "2", 3)):
        with pytest.raises(RefusedPickle, match="a part of a storage that is none"):
            _part(storage, view)


def test_storages_with_one_key_are_one_and_all_of_them_have_a_limit(monkeypatch):
    kind = type("Kind", (), {"dtype": torch.float32})()
    monkeypatch.setattr("trainers.formats.torch_data._identity", lambda identity: (kind, *identity, None))
    storages = _Storages(lambda key, dtype, elements: torch.zeros(elements, dtype=dtype), 20)
    first = storages.load(("a", 3))
    assert storages.load(("a", 3)) is first
    storages.load(("b", 2))
    with pytest.raises(RefusedPickle, match="more storages than the file can hold"):
        storages.load(("c", 1))


def test_a_whole_classifier_gives_its_backbone_and_drops_what_the_weights_say():
    weights = Pretrained("w", "u", None, drop=("fc.",))
    kept, other = torch.zeros(1), torch.ones(1)
    assert _converted({"backbone.a": kept, "backbone.fc.b": other, "head.c": other}, weights) == {"a": kept}
    assert _converted({"a": kept, "fc.b": other}, weights) == {"a": kept}
