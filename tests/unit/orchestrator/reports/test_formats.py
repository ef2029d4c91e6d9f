"""Every format shows the same table, and text from elsewhere stays text in it."""

import csv
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.core.printable import printable
from orchestrator.reports.csv_table import csv_table
from orchestrator.reports.html_page import html_page, with_pictures
from orchestrator.reports.latex import escaped, latex
from orchestrator.reports.markdown import markdown
from orchestrator.reports.page_pictures import PagePicture
from tests.unit.orchestrator.planning import teacher_of
from tests.unit.orchestrator.reports.example import APS, plan_of, report

PAPER = ("description=Does it help | really?", "tracking.tags.paper=A1/gfl-r18")
HOSTILE = "<script>alert(1)</script> & \"x\" 'y' | `a` *b* _c_ $d$ \\e {f} #g ~h ^i %j [k](l) \x1b[31m"


def hostile(folder: Path):
    """Return a report whose every text comes from somebody who means no good."""
    plain = report(folder, *PAPER)
    rows = tuple(replace(row, label=HOSTILE, student=HOSTILE + row.student, method=HOSTILE) for row in plain.rows)
    rows = (*rows, replace(rows[1], student="other"))
    return replace(
        plain, study=HOSTILE, description=HOSTILE, rows=rows, command=f"{HOSTILE} ``` x",
        facts=((HOSTILE, HOSTILE),), answer=HOSTILE, notes=(HOSTILE,), provenance=(("revision", f"{HOSTILE}\n\\input{{/etc/passwd}}"),),
    )  # fmt: skip


# Markdown ---------------------------------------------------------------------------------------------------------------


def test_markdown_is_the_golden_file(tmp_path):
    plan = plan_of(tmp_path, *PAPER)
    golden = Path(__file__).with_name("golden.md").read_text(encoding="utf-8")
    golden = golden.replace("FINGERPRINT", plan.fingerprint[:12]).replace("TEACHER", teacher_of(plan).id)
    assert markdown(report(tmp_path, *PAPER)) == golden


def test_markdown_keeps_its_columns_whatever_the_names(tmp_path):
    text = markdown(hostile(tmp_path))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    assert "<script" not in re.sub(r"\\.", "", outside)
    assert text.count("```") == 2
    assert "\x1b" not in text


# LaTeX ------------------------------------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("%"))


@pytest.mark.parametrize("make", [lambda folder: report(folder, *PAPER), hostile], ids=["plain", "hostile"])
def test_latex_is_well_formed(tmp_path, make):
    """Read it as TeX does: environments and braces in pairs, as many cells in each line as columns, no stray characters."""
    text = latex(make(tmp_path))
    assert text.isascii()
    body = uncommented(text)
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    bare = re.sub(r"\\[^a-zA-Z]", "", body.replace(r"\\", ""))
    assert bare.count("{") == bare.count("}")
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    [columns] = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", body)
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert lines
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}
    assert not re.search(r"(?<!\\)[#%~^]", bare.replace("$\\pm$", ""))
    known = "begin end centering caption label toprule midrule bottomrule pm textbackslash textasciitilde"
    known += " textasciicircum textless textgreater textbar textbf"
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= set(known.split())


def test_latex_groups_rows_between_rules_and_says_the_numbers(tmp_path):
    body = uncommented(latex(report(tmp_path, *PAPER))).splitlines()
    begin, end = body.index(r"\toprule"), body.index(r"\bottomrule")
    assert [line for line in body[begin:end] if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\midrule"]
    amount = r"40.6 $\pm$ 4.4"
    last = [
        "bckd alpha2=4.0",
        "2",
        amount,
        r"53.1 $\pm$ 4.4",
        amount,
        "",
        amount,
        amount,
        "$+$12.5",
        "1",
        "36.2",
        "$+$4.4",
    ]
    bold = " & ".join(rf"\textbf{{{cell}}}" if cell else "--" for cell in last)  # the row of the best student
    assert body[end - 1] == rf"{bold} \\"
    assert "textbf" not in body[end - 2]
    assert r"& $-$7.7 \\" in body[end - 3]


def test_latex_prints_what_was_written():
    assert escaped(r"50% of $x_1 & y^2 {~#} \input") == (
        r"50\% of \$x\_1 \& y\textasciicircum{}2 \{\textasciitilde{}\#\} \textbackslash{}input"
    )
    assert escaped("naïve") == "naU+00EFve"


# CSV --------------------------------------------------------------------------------------------------------------------


def test_csv_holds_full_numbers_and_provenance(tmp_path):
    lines = list(csv.DictReader(io.StringIO(csv_table(report(tmp_path, *PAPER)))))
    assert len(lines) == 4
    last = lines[-1]
    assert (last["row"], last["seeds"], last["evaluated"]) == ("bckd alpha2=4.0", "2", "2")
    assert float(last["AP"]) == 40.625
    assert float(last["AP spread"]) == pytest.approx(100 * 0.0625 / 2**0.5, abs=1e-4)
    assert (last["APs"], last["APs spread"]) == ("", "")
    assert (float(last["vs none"]), float(last["paper AP"])) == (12.5, 36.2)
    assert float(last["vs paper"]) == pytest.approx(4.425)
    assert last["revision"] == "1111aaaa"


def test_csv_holds_every_digit_and_each_column_once(tmp_path):
    thirds = {key: value / 3 for key, value in APS.items()}
    plain = report(tmp_path, *PAPER, aps=thirds)
    table = csv_table(plain)
    titles = next(csv.reader(io.StringIO(table)))
    assert len(set(titles)) == len(titles)
    for line, row in zip(csv.DictReader(io.StringIO(table)), plain.rows, strict=True):
        assert (line["study"], line["fingerprint"]) == (plain.study, plain.fingerprint)
        assert float(line["AP"]) == row.amounts["AP"].mean
        assert float(line["AP spread"] or "nan") == pytest.approx(
            row.amounts["AP"].spread or math.nan, abs=0, nan_ok=True
        )
    assert any(len(line["AP"]) > 10 for line in csv.DictReader(io.StringIO(table)))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_csv_starts_no_formula(tmp_path, start):
    plain = report(tmp_path)
    evil = replace(plain, study=f'{start}HYPERLINK("x")', command=f"{start}1", provenance=(("revision", f"{start}1"),))
    evil = replace(evil, rows=tuple(replace(row, label=f"{start}1", method=f"{start}1") for row in evil.rows))
    for line in list(csv.reader(io.StringIO(csv_table(evil))))[1:]:
        for cell in line:
            assert re.fullmatch(r"-?[\d.e+-]+", cell) or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


# HTML -------------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collect a page's elements and its table."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.bold: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value for name, value in attrs if name == "src"]
        self.texts += [value for name, value in attrs if name == "alt"]
        if tag == "tr":
            self.rows.append([])
            if ("class", "best") in attrs:
                self.bold.append("")
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data
            if self.bold == [""]:
                self.bold = [data]


def page_of(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def test_html_shows_the_table_of_the_markdown(tmp_path):
    made = report(tmp_path, *PAPER)
    page = page_of(html_page(made))
    lines = [line for line in markdown(made).splitlines() if line.startswith("| ")]
    wanted = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines if "---" not in line]
    found = [[cell.split("\n")[0] for cell in row] for row in page.rows]
    assert found == wanted
    assert page.bold == ["bckd alpha2=4.0"]


def test_html_loads_and_runs_nothing_whatever_the_names(tmp_path):
    text = html_page(hostile(tmp_path))
    page = page_of(text)
    assert page.elements.isdisjoint({"script", "img", "link", "iframe", "a", "form", "object"})
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "scope", "class"}
    assert page.rows[1][0].startswith("<script>alert(1)</script> &")


@pytest.mark.parametrize("make", [lambda folder: report(folder, *PAPER), hostile], ids=["plain", "hostile"])
def test_html_shows_every_text_as_it_is_printed(tmp_path, make):
    made = make(tmp_path)
    told = [
        made.study,
        made.description,
        made.command,
        *made.notes,
        made.answer,
        *(text for fact in (*made.facts, *made.provenance) for text in fact),
    ]
    shown = page_of(html_page(made)).text
    assert [text for text in told if printable(text) not in shown] == []


def test_html_holds_its_pictures(tmp_path):
    """They are in the page itself, their words stay words, and what hides secrets has seen the text before."""
    picture = PagePicture("image/svg+xml", b"<svg/>", HOSTILE)
    text = with_pictures(html_page(hostile(tmp_path)), [picture, replace(picture, media_type="image/jpeg")])
    page = page_of(text)
    assert page.sources == [f"data:image/{kind};base64,PHN2Zy8+" for kind in ("svg+xml", "jpeg")]
    assert page.elements.isdisjoint({"script", "link", "iframe", "a", "form", "object"})
    assert page.texts == [printable(HOSTILE)] * 2
    assert "img-src data:" in text
    assert page_of(with_pictures(html_page(hostile(tmp_path)), [])).sources == []


# what every format says ---------------------------------------------------------------------------------------------------


def test_one_seed_is_told(tmp_path):
    several, single = report(tmp_path, *PAPER), report(tmp_path, *PAPER, "search.seeds=[0]")
    sentence = "One seed says nothing about how far trainings scatter: each difference between rows may be chance."
    assert sentence in single.notes
    assert sentence not in several.notes
    assert "one seed says nothing: add --set 'search.seeds=[0,1,2]'" in single.answer
    for write in (markdown, latex, html_page):
        assert "scatter" in write(single)
        assert "12.5 AP over none" in write(single)


def test_a_report_without_results_has_no_bold_row_and_no_answer(tmp_path):
    made = report(tmp_path, *PAPER, aps={})
    assert (made.answer, [row for row in made.rows if row.best]) == ("", [])
    assert not any("bold" in note.lower() or "seed says" in note for note in made.notes)
