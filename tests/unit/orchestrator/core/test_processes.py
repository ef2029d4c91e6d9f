import os

import pytest

from orchestrator.core.processes import lives, of_identity, this_process


def test_this_process_lives():
    assert lives(this_process().identity)
    assert of_identity(this_process().identity) == this_process()


def test_an_identity_is_readable():
    pid, _, started = this_process().identity.partition("@")
    assert int(pid) == os.getpid()
    assert started.isdigit()


def test_another_process_with_the_same_number_is_another():
    assert not lives(f"{os.getpid()}@1")


@pytest.mark.parametrize("text", ["", "@", "driver", "x@1", "-1@1"])
def test_a_text_that_is_no_identity_lives_nowhere(text):
    assert of_identity(text) is None
