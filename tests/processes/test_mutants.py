"""The mutation harness sees a fault that a test tells apart, and calls one survived that no test can tell apart."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.mutants.areas import area_of, sample, sources
from tests.mutants.beside import beside
from tests.mutants.campaign import Campaign, Nurseries
from tests.mutants.copy import copied
from tests.mutants.faults import Fault, faults
from tests.mutants.ledger import Ledger, Outcome, table
from tests.mutants.reach import Reach
from tests.mutants.script_faults import script_faults

ROOT = Path(__file__).parents[2]
MODULE = """
def first(values, most):
    found = sorted(values)
    if len(found) > most:
        found.append(0)
        del found[most:]
    return found


def unused(value):
    return not value
"""
TEST = """
from orchestrator.core.tiny import first


def test_first_returns_the_smallest():
    assert first([3, 1, 2], 2) == [1, 2]
    assert first([3, 1, 2], 9) == [1, 2, 3]
"""
CONFTEST = """
from hypothesis import settings

settings.register_profile("quick")
"""
SCRIPT = "function f(a, b, c) {\n  return a < b && c !== 1;\n}\n"
PAGE_TEST = """
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def page():
    return Path("dashboards/web/app/tiny.js").read_text()


def test_order(page):
    assert "a < b" in page


def test_both(page):
    assert "b && c" in page
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the harness, one module and one test beside it."""
    files = [*sorted((ROOT / "tests/mutants").glob("*.py")), ROOT / "pyproject.toml"]
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in files}
    texts |= {"orchestrator/core/tiny.py": MODULE, "tests/unit/orchestrator/core/test_tiny.py": TEST}
    texts |= {"dashboards/web/app/tiny.js": SCRIPT, "tests/e2e/dashboard/test_tiny.py": PAGE_TEST}
    texts |= {"tests/conftest.py": CONFTEST, "orchestrator/__init__.py": "", "orchestrator/core/__init__.py": ""}
    for name, text in texts.items():
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", tmp_path / "checkout"], check=True)
    subprocess.run(["git", "add", "--all"], cwd=tmp_path / "checkout", check=True)
    return tmp_path / "checkout"


def planted(kind: str, text: str = MODULE) -> Fault:
    """Return the only fault of a kind."""
    (found,) = [fault for fault in faults("orchestrator/core/tiny.py", text) if fault.kind == kind]
    return found


def test_seen_faults_are_killed_an_equivalent_one_survives_and_an_unused_line_is_unseen(checkout, tmp_path):
    copy = copied(checkout, tmp_path / "copy")
    wanted = [planted(kind) for kind in ("forgotten call", "boundary", "dropped not")]
    with Nurseries(copy, tmp_path, level="bare") as nurseries:
        ledger = Ledger(tmp_path / "outcomes.jsonl")
        campaign = Campaign(copy, Reach(copy, tmp_path / "mutants"), nurseries, ledger)
        assert list(campaign.trace(wanted)) != []
        assert list(campaign.trace(wanted)) == [], "what has not changed is not traced again"
        outcomes = [campaign.judge(fault) for fault in wanted]
    assert [one.outcome for one in outcomes] == ["killed", "survived", "unseen"]
    assert outcomes[0].by == "tests/unit/orchestrator/core/test_tiny.py::test_first_returns_the_smallest"
    assert (copy / "orchestrator/core/tiny.py").read_text() == MODULE
    assert list(Ledger(tmp_path / "outcomes.jsonl").outcomes.values()) == outcomes, "another process goes on from here"


def test_scripts_are_read_anew_for_each_fault_and_outcomes_are_written_at_once(checkout, tmp_path):
    copy, wanted, outcomes = copied(checkout, tmp_path / "copy"), tmp_path / "faults.jsonl", tmp_path / "outcomes.jsonl"
    found = {fault.kind: fault for fault in script_faults("dashboards/web/app/tiny.js", SCRIPT)}
    kinds = ("boundary", "comparison", "and/or", "off by one")
    wanted.write_text("".join(json.dumps(asdict(found[kind])) + "\n" for kind in kinds))
    subprocess.run([sys.executable, "-m", "tests.mutants.pages", wanted, outcomes], cwd=copy, check=False)
    page = "tests/e2e/dashboard/test_tiny.py::test_"
    assert [(one.kind, one.outcome, one.by) for one in Ledger(outcomes).outcomes.values()] == [
        ("boundary", "killed", f"{page}order"),
        ("comparison", "survived", None),
        ("and/or", "killed", f"{page}both"),
        ("off by one", "survived", None),
    ]
    assert (copy / "dashboards/web/app/tiny.js").read_text() == SCRIPT


def test_a_fault_keeps_its_id_when_other_lines_change():
    assert planted("boundary", f"import os\n\n{MODULE}").id == planted("boundary").id


def test_a_fault_changes_the_bytes_of_its_place_only():
    text = 'MARK = "ä"\n\n\ndef is_small(value, most):\n    return value < most  # ü\n'
    assert planted("boundary", text).planted(text) == text.replace("<", "<=")


@pytest.mark.parametrize(
    "text",
    [
        'def f(x):\n    raise ValueError("x < 1", not x)\n',
        "def f(x: dict[str, int] | None) -> int | None: ...\n",
        "def f(log):\n    log.info('%s', 1)\n",
        "from dataclasses import dataclass\n\n\n@dataclass(frozen=True)\nclass A: ...\n",
    ],
)
def test_messages_types_logs_and_decorators_stay_as_they_are(text):
    assert [fault.kind for fault in faults("a.py", text) if fault.kind != "dropped statement"] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return a < b", "return a <= b"),
        ("return a in b", "return a not in b"),
        ("return a and b", "return a or b"),
        ("return not a", "return a"),
        ("return min(a)", "return max(a)"),
        ("return g(a, b)", "return g(b, a)"),
        ("return a - b", "return b - a"),
        ("return a[0]", "return a[1]"),
        ("os.fsync(a)", "pass"),
        ("return sorted(a, reverse=True)", "return sorted(a)"),
        ("return a if b else c", "return c if b else a"),
        ("return [x for x in a if x]", "return [x for x in a if True]"),
        ("return ('a', 'b', 'c')", "return ('b', 'c')"),
        ("for x in a:\n        g(x)", "for x in list(a)[:1]:\n        g(x)"),
        ("try:\n        g()\n    except (A, B):\n        h()", "try:\n        g()\n    except (A,):\n        h()"),
    ],
)
def test_developers_faults_are_among_those_of_a_line(old, new):
    text = "def f(a, b, c):\n    "
    assert f"{text}{new}\n" in [fault.planted(f"{text}{old}\n") for fault in faults("a.py", f"{text}{old}\n")]


def test_scripts_change_outside_of_strings_and_comments_only():
    text = 'function f(a) {\n  // a < b\n  return a < "x < y" && !a;\n}\n'
    found = {fault.planted(text) for fault in script_faults("dashboards/web/app/a.js", text)}
    assert found == {text.replace('a < "', 'a <= "'), text.replace("&&", "||"), text.replace("!a", "a")}


def test_a_sample_takes_from_every_area_one_fault_of_a_definition_and_is_the_same_again():
    found = [fault for file in ("orchestrator/core/tiny.py", "dashboards/tiny.py") for fault in faults(file, MODULE)]
    once, again = (sample(order, 1, 4, lambda fault: True) for order in (found, found[::-1]))
    assert once == again
    assert sorted((one.file, one.scope) for one in once) == [
        ("dashboards/tiny.py", "first"),
        ("dashboards/tiny.py", "unused"),
        ("orchestrator/core/tiny.py", "first"),
        ("orchestrator/core/tiny.py", "unused"),
    ]
    assert sample(found, 2, 2, lambda fault: True) != sample(found, 1, 2, lambda fault: True)


def test_every_source_has_an_area_and_a_test_beside_it():
    files = [file for file in sources(ROOT) if (ROOT / file).read_text().count("\n") > 5]
    assert {area_of(file) for file in files} >= {"search", "checkpoints", "dashboard's JS"}
    assert [file for file in files if not beside(file, ROOT)] == []


def test_the_share_leaves_equivalent_faults_out_and_counts_accepted_ones():
    outcomes = [
        Outcome(name, "core", "", "", "", word, None, 1.0)
        for name, word in (("a", "killed"), ("b", "survived"), ("c", "unseen"), ("d", "slow"))
    ]
    judged = {"b": ("equivalent", "no difference"), "c": ("accepted", "no test"), "d": ("equivalent", "of no effect")}
    assert "| core | 4 | 1 | 2 | 67% |" in table(outcomes, judged)
