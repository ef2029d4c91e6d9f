"""Files are digested while they are read, and a change is noticed by their state."""

import hashlib
from pathlib import Path

import pytest

from trainers.schema.files_digest import DigestingReader, state_of


def test_the_digest_is_that_of_the_contents_in_their_order(tmp_path: Path) -> None:
    contents = [b"second", b"", b"first" * 100_000]
    paths = [tmp_path / str(number) for number in range(3)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    reader = DigestingReader()
    assert [reader.read(str(path)) for path in paths] == contents
    plain = b"list" + b"".join(hashlib.sha256(content).digest() for content in contents)
    assert reader.seen(b"list").digest == hashlib.sha256(plain).hexdigest()
    assert reader.seen(b"list").state == state_of(b"list", map(str, paths))


def test_a_file_that_gives_no_size_is_refused() -> None:
    assert Path("/proc/self/limits").stat().st_size == 0
    with pytest.raises(OSError, match="is a file of the kernel"):
        DigestingReader().read("/proc/self/limits")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"is a folder, not a file.*{tmp_path}"):
        DigestingReader().read(str(tmp_path))
