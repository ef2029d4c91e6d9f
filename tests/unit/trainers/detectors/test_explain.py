"""An error of mmdet, or of a user's config, is told in one sentence; one that may be gone the next time passes."""

import errno

import pytest

from trainers.detectors.explain import CUSTOM_IMPORTS, explained, explanation, missing_package
from trainers.errors import TrialError
from trainers.schema.plugins import BrokenPlugin


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("wrong"), "ValueError: wrong"),
        (ValueError("wrong.\nmore"), "ValueError: wrong"),
        (ValueError(), "ValueError"),
        (KeyError("A is not in the registry. Please check whether the value is right"), "KeyError: A is not in the registry"),
        (KeyError("A is not in the registry. More details can be found at a page"), "KeyError: A is not in the registry"),
        (KeyError(), "KeyError"),
        (KeyError(3), "KeyError: 3"),
        (FileNotFoundError("a.py is not there."), "a.py is not there"),
        (SyntaxError("bad"), "bad"),
        (BrokenPlugin("my_package gives no head"), "my_package gives no head"),
        (OSError(), "OSError"),
        (ModuleNotFoundError("no", name="a.b"), "it needs the Python package a, which is not installed here"),
        (caused(ImportError("x"), ModuleNotFoundError("no", name="c")), "it needs the Python package c, which is not installed here"),
        (ImportError("cannot import name"), "ImportError: cannot import name"),
        (caused(ImportError(f"{CUSTOM_IMPORTS} [...]"), caused(ImportError("mine.models"), ValueError("bad"))), "mine.models: ValueError: bad"),
        (caused(ImportError(f"{CUSTOM_IMPORTS} [...]"), ImportError("mine.models")), "mine.models"),
        (ImportError(f"{CUSTOM_IMPORTS} [...]"), CUSTOM_IMPORTS),
    ],
)  # fmt: skip
def test_an_error_is_one_sentence(error: BaseException, says: str) -> None:
    assert explanation(error) == says


@pytest.mark.parametrize(
    "error", [ImportError("x"), ValueError("x"), caused(ValueError("x"), ModuleNotFoundError("y"))]
)
def test_errors_that_miss_no_package(error: BaseException) -> None:
    assert missing_package(error) is None


LASTING = [None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENAMETOOLONG]


@pytest.mark.parametrize("number", LASTING)
def test_a_file_that_stays_as_it_is_is_told(number: int | None) -> None:
    with pytest.raises(TrialError, match=r"^cannot build it: .*why"), explained("build it"):
        raise OSError("why") if number is None else OSError(number, "why")


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EIO, "why"), OSError(errno.ESTALE, "why")])
def test_what_may_be_gone_the_next_time_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, explained("build it"):
        raise error
    assert caught.value is error


def test_a_sentence_is_not_told_twice() -> None:
    with pytest.raises(TrialError, match=r"^as it is$"), explained("build it"):
        raise TrialError("as it is")
