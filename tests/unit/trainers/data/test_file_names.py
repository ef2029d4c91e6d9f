"""Names of files from any system find their file where they can only mean one, and lead nowhere else."""

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from trainers.schema import VocPart
from trainers.schema.file_names import require_below
from trainers.schema.image_names import Located, locate
from trainers.schema.voc_layout import PartFiles

NFD, NFC = (unicodedata.normalize(form, "Größe.png") for form in ("NFD", "NFC"))


def files(root: Path, *names: str) -> Path:
    """Write empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root: Path, folder: str, *names: str) -> list[str | None]:
    """Return the files, relative to the root, that names mean; ``None`` where there is none."""
    located = locate(str(root), folder, names)
    return [str(Path(one.path).relative_to(root)) if one.there else None for one in located]


# ---------------------------------------------------------------------------------------------------------- COCO files

UNUSUAL = ("a b.png", "10.04\u202fAM.png", "a\u00a0b.png", "全角\u3000.png", "é.png", "👨\u200d👩\u200d👧.png", "\u200fשלום.png",
           "\ufeffbom.png", "\ue000.png", "a\\b.png", "100%25.png", "-rf.png", "a:b.png", "~a.png", "..a.png", "a;b'\"`$.png")  # fmt: skip


def test_unusual_characters_are_no_reason_to_refuse(tmp_path: Path) -> None:
    files(tmp_path / "images", *UNUSUAL)
    assert found(tmp_path, "images", *UNUSUAL) == [f"images/{name}" for name in UNUSUAL]


@pytest.mark.parametrize(
    ("folder", "there", "named"),
    [
        ("images", "images/a/b.png", "a\\b.png"),
        ("images", "images/a.png", "images\\a.png"),
        ("images", "images/a.png", "images/a.png"),
        ("images/train", "images/train/a.png", "images/train/a.png"),
        ("images/train", "images/train/a.png", "train/a.png"),
        ("images/train", "images/train/a.png", "data/images/train/a.png"),
        ("images/train", "images/val/a.png", "images/val/a.png"),
        ("images", "images/a.png", "./a.png"),
        ("images", "images/a.png", "x/../a.png"),
        ("images", "other/a.png", "../other/a.png"),
        ("images", "images/a.JPG", "a.jpg"),
        ("images", "images/a.jpg", "A.JPG"),
        ("images", "images/Train/a.jpg", "train/a.jpg"),
        ("images", f"images/{NFD}", NFC),
        ("images", f"images/{NFC}", NFD),
        ("images", "images/a b.png", "a%20b.png"),
        (".", "a.png", "a.png"),
        (".", "images/a.png", "images\\a.png"),
    ],
)
def test_a_name_that_can_mean_one_file_only_means_it(folder: str, there: str, named: str, tmp_path: Path) -> None:
    root = files(tmp_path / "data", there, "images/z.png")
    assert found(root, folder, named) == [there]


def test_what_exists_is_never_reinterpreted(tmp_path: Path) -> None:
    names = ("a.png", "A.png", "a.PNG", "images/a.png", "a\\b.png", "a/b.png", "a%20b.png", "a b.png", NFC, NFD)
    files(tmp_path / "images", *names)
    assert found(tmp_path, "images", *names) == [f"images/{name}" for name in names]


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (["a.PNG", "A.png"], ["a.png"]),  # either
        (["a.png", "images/b.png"], ["A.png", "a.png"]),  # the other name's own
        (["a.png"], ["A.png", "a.PNG"]),  # two names for one file
        (["cam1/a.png"], ["cam2/a.png"]),
        (["a.png"], ["b/a.png"]),
    ],
)
def test_nothing_is_guessed(there: list[str], named: list[str], tmp_path: Path) -> None:
    files(tmp_path / "images", *there)
    expected = [f"images/{name}" if name in there else None for name in named]
    assert found(tmp_path, "images", *named) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "is the path on one machine"),
        ("/home/me/data/images/a.png", r"leave out everything up to the image folder \('a.png' exists\)"),
        ("D:\\data\\images\\a.png", r"Windows machine: .* \('a.png' exists\)"),
        ("C:/data/a.png", "Windows machine"),
        ("\\\\server\\share\\a.png", "on one machine"),
        ("~/data/a.png", "on one machine"),
        ("file:///data/a.png", "is a URL"),
        ("https://example.com/a.png", "is a URL"),
        ("s3://bucket/a.png", "is a URL"),
        ("../../a.png", "does not lie below the dataset's root"),
        ("a\0.png", "control characters"),
        ("a\x1b[2J.png", "control characters"),
        ("a\n.png", "control characters"),
        ("a\u2028.png", "control characters"),
        ("\ud800.png", "control characters"),
        ("x" * 300, "no file can have"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str, words: str, tmp_path: Path) -> None:
    files(tmp_path / "images", "a.png")
    files(tmp_path.parent, "a.png")
    [one] = locate(str(tmp_path), "images", [name])
    assert not one.there
    assert one.refused is not None
    assert re.search(words, one.refused), one.refused


def test_absolute_names_of_this_very_folder_are_taken(tmp_path: Path) -> None:
    files(tmp_path / "images", "a.png")
    assert locate(str(tmp_path), "images", [f"{tmp_path}/images/a.png"])[0].there


def test_without_the_images_names_are_taken_as_they_are(tmp_path: Path) -> None:
    assert locate(str(tmp_path), "images", ["a.png"]) == [Located(f"{tmp_path}/images/a.png", there=False)]


def test_many_names_cost_one_look_at_each_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{place}/{number}.png" for place in ("a", "b") for number in range(300)]
    files(tmp_path / "images", *names)
    looked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda folder: looked.append(folder) or scandir(folder))
    assert all(one.there for one in locate(str(tmp_path), "images", names))
    assert len(looked) == len(set(looked)) <= 4


@pytest.mark.parametrize("name", ["a b", "10.04\u202fAM", "ImageSets", "..a", "全角\u3000"])
def test_a_study_may_name_such_folders(name: str) -> None:
    assert require_below(name) == name


# ----------------------------------------------------------------------------------------------------------- VOC lists


def part_of(
    root: Path, lines: Sequence[str] | bytes | None, *names: str, place: str = "ImageSets/Main/train.txt"
) -> PartFiles:
    """Write XML files and images of these names, and a list."""
    files(root, *(f"Annotations/{name}.xml" for name in names), *(f"JPEGImages/{name}.jpg" for name in names))
    if lines is not None:
        content = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
        files(root, place)
        (root / place).write_bytes(content)
    return PartFiles(root, VocPart(folder=".", set="train" if lines is not None else None))


@pytest.mark.parametrize(
    "lines",
    [
        ["a", "b c"],
        ["a.jpg", "b c.jpg"],
        ["a.JPG", "b c.png"],
        ["a.xml", "b c.xml"],
        ["a 1", "b c -1"],
        ["a  1", "b c\t0"],
        ["JPEGImages/a.jpg", "JPEGImages/b c.jpg"],
        ["./JPEGImages/a.jpg".removeprefix("./"), "Annotations/b c.xml"],
        ["JPEGImages\\a.jpg", "data/JPEGImages/b c.jpg"],
        ["", "a", " ", "b c", ""],
        ["a ", " b c"],
        ["A", "B C"],
    ],
)
def test_lines_of_a_list_mean_the_xml_file_that_exists(lines: list[str], tmp_path: Path) -> None:
    part = part_of(tmp_path / "data", lines, "a", "b c")
    assert part.names == ("a", "b c")
    assert [part.xml_file(name).name for name in part.names] == ["a.xml", "b c.xml"]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa\nb", b"a\r\nb\r\n", b"a\rb", b"a\nb"])
def test_lists_of_any_editor_are_read(content: bytes, tmp_path: Path) -> None:
    assert part_of(tmp_path, content, "a", "b").names == ("a", "b")


def test_names_that_look_like_flags_or_suffixes_are_names_where_they_exist(tmp_path: Path) -> None:
    names = ("img 1", "img", "img 0", "img -1", "a.jpg", "a")
    assert part_of(tmp_path, names, *names).names == names


def test_a_line_that_could_mean_two_files_is_left_as_it_is(tmp_path: Path) -> None:
    assert part_of(tmp_path, ["ab.jpg"], "Ab", "aB").names == ("ab.jpg",)


def test_lines_that_name_nothing_stay(tmp_path: Path) -> None:
    assert part_of(tmp_path, ["gone.jpg", "/etc/passwd", "../x"], "a").names == ("gone.jpg", "/etc/passwd", "../x")


@pytest.mark.parametrize("place", ["ImageSets/Main/train.txt", "ImageSets/train.txt", "train.txt"])
@pytest.mark.parametrize("name", ["train", "train.txt"])
def test_lists_are_found_where_tools_write_them(place: str, name: str, tmp_path: Path) -> None:
    part_of(tmp_path, ["a"], "a", place=place)
    part = PartFiles(tmp_path, VocPart(folder=".", set=name))
    assert part.list_file == tmp_path / place
    assert part.names == ("a",)


def test_without_a_list_all_xml_files_are_the_part(tmp_path: Path) -> None:
    files(tmp_path / "train", "b.xml", "a b.XML", "b.jpg", "a b.PNG", "notes.txt", "deeper/c.xml")
    part = PartFiles(tmp_path, VocPart(folder=".", annotations="train", images="train"))
    assert part.names == ("a b", "b")
    assert [part.xml_file(name).name for name in part.names] == ["a b.XML", "b.xml"]
    assert [part.image_file(name, None).name for name in part.names] == ["a b.PNG", "b.jpg"]


@pytest.mark.parametrize(
    ("there", "file_name", "expected"),
    [
        ("a.jpg", "a.jpg", "a.jpg"),
        ("a.jpg", None, "a.jpg"),
        ("a.png", "a.png", "a.png"),
        ("a.JPG", "a.jpg", "a.JPG"),
        ("a.png", None, "a.png"),
        ("a.jpeg", "a", "a.jpeg"),
        ("photo 7.png", "photo 7.png", "photo 7.png"),
        ("photo 7.png", "C:\\me\\photo 7.png", "photo 7.png"),
        ("b.png", None, "a.jpg"),
    ],
)
def test_images_are_found_beside_what_the_xml_file_says(
    there: str, file_name: str, expected: str, tmp_path: Path
) -> None:
    files(tmp_path, f"JPEGImages/{there}", "Annotations/a.xml")
    part = PartFiles(tmp_path, VocPart(folder=".", set="train"))
    assert part.image_file("a", file_name) == tmp_path / "JPEGImages" / expected


def test_two_images_of_a_name_are_not_chosen_from(tmp_path: Path) -> None:
    files(tmp_path, "JPEGImages/a.png", "JPEGImages/a.bmp", "Annotations/a.xml")
    assert PartFiles(tmp_path, VocPart(folder=".", set="train")).image_file("a", None).name == "a.jpg"


# ------------------------------------------------------------------------------------------------------ lines of VOC lists


@pytest.mark.parametrize("flag", ["-1", " 0", "1", "\t1", " -1", "  0"])
def test_a_line_of_a_classes_list_names_its_image_whatever_the_flag(flag: str, tmp_path: Path) -> None:
    root = files(tmp_path, "Annotations/a b.xml", "JPEGImages/a b.jpg", "ImageSets/Main/train.txt")
    (root / "ImageSets/Main/train.txt").write_text(f"a b {flag}\n \t \n\n")
    assert PartFiles(root, VocPart(folder=".", set="train")).names == ("a b",)


@pytest.mark.parametrize("line", ["a b 2", "a b -2", "a b1", "a b 01"])
def test_a_line_with_another_ending_means_itself(line: str, tmp_path: Path) -> None:
    root = files(tmp_path, "Annotations/a b.xml", "ImageSets/Main/train.txt")
    (root / "ImageSets/Main/train.txt").write_text(line)
    assert PartFiles(root, VocPart(folder=".", set="train")).names == (line,)
