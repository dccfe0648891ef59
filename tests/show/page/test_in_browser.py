"""The page in a real browser: nothing in the console, nothing from elsewhere, all in sight."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mpm_deploy.show.page import read_documents, write_page
from tests.show.page.browser import Tab, chromium, find_chromium
from tests.show.page.conftest import Files

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="there is no Chromium on this machine"
)

SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
PAPER = {"light": (255, 255, 255), "dark": (26, 26, 31)}  # --paper of the charts
MERGED = {"light": (42, 111, 214), "dark": (79, 147, 240)}  # --c0
FULL = {"light": (154, 154, 160), "dark": (119, 119, 126)}  # --full


@pytest.fixture(scope="module")
def page(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("browser") / "report.html"
    write_page(read_documents(files.all, files.pictures), target)
    return target


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = find_chromium()
    assert program is not None
    with chromium(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_in_sight(tab: Tab, page: Path, screen: str, scheme: str) -> None:
    width, height = SCREENS[screen]
    tab.open(page, width, height, scheme)
    assert tab.complaints() == []
    assert {url for url in tab.addresses() if not url.startswith("data:")} == {page.as_uri()}
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    shot = tab.screenshot()
    assert shot.shape[1] == width
    assert pixels(shot, PAPER[scheme]) > 0.1 * shot[..., 0].size
    assert pixels(shot, MERGED[scheme]) > 5000
    assert pixels(shot, FULL[scheme]) > 2500


def test_bars_are_as_long_as_the_figures_say(tab: Tab, page: Path) -> None:
    tab.open(page, *SCREENS["desktop"], "light")
    boxes = "[...document.querySelector('svg').querySelectorAll('.mark-rect path')]"
    lengths = tab.evaluate(f"{boxes}.map(box => box.getBoundingClientRect().width)")
    merged, full = lengths[:2]
    assert merged / full == pytest.approx(20.5 / 11.5, rel=0.01)


def test_what_the_pointer_is_over_says_what_it_is(tab: Tab, page: Path) -> None:
    tab.open(page, *SCREENS["desktop"], "light")
    box = "document.querySelector('svg .mark-rect path').getBoundingClientRect()"
    under = f"(b => document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2))({box})"
    assert tab.evaluate(f"{under}.querySelector('title').textContent").endswith("20.50 images / s")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_text_of_a_chart_is_in_the_color_of_its_paper(tab: Tab, page: Path, scheme: str) -> None:
    tab.open(page, *SCREENS["desktop"], scheme)
    texts = "[...document.querySelectorAll('svg text')]"
    colors = tab.evaluate(f"[...new Set({texts}.map(text => getComputedStyle(text).fill))]")
    assert 2 <= len(colors) <= 4
    for color in colors:
        numbers = [int(number) for number in color.removeprefix("rgb(").rstrip(")").split(",")]
        assert abs(sum(numbers) - sum(PAPER[scheme])) > 250, color


@pytest.mark.parametrize("screen", SCREENS)
def test_no_text_leaves_its_chart(tab: Tab, page: Path, screen: str) -> None:
    tab.open(page, *SCREENS[screen], "light")
    over = """[...document.querySelectorAll('svg text')].filter(text => {
        const [inner, outer] = [text, text.closest('figure')].map(e => e.getBoundingClientRect());
        return inner.left < outer.left || inner.right > outer.right;
    }).map(text => text.textContent)"""
    assert tab.evaluate(over) == []


def test_complaints_are_heard(tab: Tab, tmp_path: Path) -> None:
    """The test above could not fail if nothing were ever heard."""
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='gone.png'><script>console.error('no'); undefined_thing()</script>")
    tab.open(bad, *SCREENS["desktop"], "light")
    assert len(tab.complaints()) == 3


def pixels(shot: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int((shot == np.array(color, np.uint8)).all(axis=2).sum())
