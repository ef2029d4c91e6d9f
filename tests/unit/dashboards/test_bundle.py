import json
import re

import pytest

from dashboards.web.bundle import page, read, script
from dashboards.web.escape import in_script
from trainers.schema.zoo import configs_dir

HOSTILE = {"name": "</script><script>alert(1)</script><!-- & \u2028", "nested": ["<", ">", "&"]}
WEB = configs_dir().parent / "dashboards" / "web"
MODULES = sorted(path.relative_to(WEB).as_posix() for path in (WEB / "app").rglob("*.js"))


def test_data_in_a_page_can_not_end_its_script_and_reads_as_it_was() -> None:
    text = page(json.dumps(HOSTILE, ensure_ascii=False))

    [data] = re.findall(r'<script type="application/json" id="snapshot">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data) == HOSTILE
    assert "alert(1)</script>" not in text


def test_page_asks_for_nothing() -> None:
    text = page("{}", title="A & B <i>")

    assert "<title>A &amp; B &lt;i&gt;</title>" in text
    assert not re.search(
        r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', text.replace(read("vendor/echarts.min.js"), "")
    )


def test_escaped_json_means_the_same() -> None:
    assert json.loads(in_script(json.dumps(HOSTILE))) == HOSTILE


def test_wheel_holds_the_page() -> None:
    from hatchling.builders.wheel import WheelBuilder

    held = {file.distribution_path for file in WheelBuilder(str(WEB.parents[1])).recurse_included_files()}
    fixed = ("index.html", "style.css", "vendor/echarts.min.js", "vendor/echarts.LICENSE")
    assert {f"dashboards/web/{name}" for name in (*fixed, *MODULES)} <= held


@pytest.mark.parametrize("name", MODULES)
def test_module_is_part_of_the_page_and_writes_text_only(name: str) -> None:
    assert f'modules["{name}"]' in script()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", read(name))
