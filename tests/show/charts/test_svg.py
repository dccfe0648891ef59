"""From a chart of a page to a file of its own."""

import io
import re
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.show.charts import Bar, Group, bar_chart, standalone, style_sheet, to_png
from mpm_deploy.show.charts.svg import draw
from mpm_deploy.show.charts.theme import Scheme, color

SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def chart() -> str:
    return bar_chart([Group("batch 1", (Bar(3.0, "3.0", "three", "c0"),))])


def test_a_page_resolves_every_color(chart: str) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", chart))
    assert "c0" in used
    for scheme in style_sheet().split("@media"):
        assert used <= set(re.findall(r"--([\w-]+): #[0-9a-f]{6};", scheme))
    assert not re.search(r'(fill|stroke)="(?!var|none)', chart)


def test_a_chart_of_a_page_names_no_address(chart: str) -> None:
    assert "//" not in chart
    assert "<script" not in chart


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_of_its_own(chart: str, scheme: Scheme) -> None:
    alone = standalone(chart, scheme)
    assert "var(" not in alone
    assert color("c0", scheme) in alone
    root = ET.fromstring(alone)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    _, _, width, height = root.attrib["viewBox"].split()
    assert (width, height) == (root.get("width"), root.get("height"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pixels(chart: str, scheme: Scheme) -> None:
    with Image.open(io.BytesIO(to_png(chart, 2.0, scheme))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] == 2 * int(ET.fromstring(standalone(chart)).attrib["width"])
    for name, least in (("paper", 10_000), ("c0", 5_000), ("ink", 20)):
        wanted = [int(color(name, scheme)[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == wanted).all(axis=-1).sum() > least, name


def test_without_vl_convert(chart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingPackageError, match="vl-convert") as caught:
        draw({}, "")
    assert caught.value.hint == "pip install 'mpm-deploy[report]'"
    with pytest.raises(MissingPackageError):
        to_png(chart)
