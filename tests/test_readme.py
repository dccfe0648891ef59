"""The README's example runs, and its figures are those that a script wrote."""

import re
import shutil
from itertools import chain
from pathlib import Path

import pytest

from tests.conftest import INPUT_SIZE
from tests.support.scripts import ROOT, load_script


def test_the_python_example_runs(
    artifact: Path,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shutil.copy(artifact, tmp_path / "segmenter.pt2")
    shutil.copy(image_folder / "image_0.jpg", tmp_path / "street.jpg")
    shutil.copytree(image_folder, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(INPUT_SIZE)  # the size of image_0.jpg
    assert len(printed) == 2 + len(list(image_folder.iterdir()))


def test_the_figures_are_those_of_the_results() -> None:
    render = load_script("benchmarks/render_readme.py")
    for path, text in render.pages().items():
        assert path.read_text() == text, path.name


def pages() -> list[Path]:
    folders = ("docs", "examples", "benchmarks/notes")
    found = (sorted((ROOT / folder).rglob("*.md")) for folder in folders)
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *chain.from_iterable(found)]


def links_of(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)#:]+)\)", page.read_text())


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    linked = links_of(page) + re.findall(r'(?:src|srcset)="([^":]+)"', text)
    missing = [target for target in linked if not (page.parent / target).exists()]
    named = re.findall(r"`(docs/[\w/.-]+\.md)`", text)
    assert missing + [target for target in named if not (ROOT / target).exists()] == []


def test_the_way_to_every_page_and_example_begins_at_the_readme() -> None:
    found, ahead = {ROOT / "README.md"}, [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        for target in links_of(page) if page.suffix == ".md" else []:
            linked = (page.parent / target).resolve()
            if linked not in found:
                found.add(linked)
                ahead.append(linked)
    assert {*pages(), *(ROOT / "examples").glob("*.py")} - found == set()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
