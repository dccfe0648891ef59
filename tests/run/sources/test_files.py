"""Image files: of folders, of patterns, of a list on stdin."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.run.label_maps import label_map_names
from mpm_deploy.run.sources import Source, SourceOptions, open_source, open_sources
from mpm_deploy.run.sources.files import Files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Names of images, some in folders inside the folder."""
    for name in ("b.jpg", "a.png", "in/a.png", "in/deep/c.jpeg", ".hidden/d.png", "in/text.txt"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def names(source: Source, root: Path) -> list[str]:
    assert isinstance(source, Files)
    assert source.total == len(source.paths) and not source.live
    return [path.relative_to(root).as_posix() for path in source.paths]


def test_a_folder_with_and_without_those_inside(tree: Path) -> None:
    assert names(open_source(tree), tree) == ["a.png", "b.jpg"]
    deep = open_source(tree, recursive=True)
    assert names(deep, tree) == ["a.png", "b.jpg", "in/a.png", "in/deep/c.jpeg"]
    assert isinstance(deep, Files)
    assert label_map_names(deep.paths, deep.folders) == [
        *("a.png", "b.png", "in/a.png", "in/deep/c.png"),
    ]


def test_a_link_that_leads_in_a_circle_is_passed_over(tree: Path) -> None:
    (tree / "in" / "circle").symlink_to(tree)
    assert len(names(open_source(tree, recursive=True), tree)) == 4


def test_a_pattern(tree: Path) -> None:
    assert names(open_source(f"{tree}/*.*"), tree) == ["a.png", "b.jpg"]
    assert names(open_source(f"{tree}/**/*.png"), tree) == ["a.png", "in/a.png"]
    assert names(open_source(f"{tree}/**/**/a.png"), tree) == ["a.png", "in/a.png"]
    with pytest.raises(InputError, match="no file matches this pattern"):
        open_source(f"{tree}/*.tiff")


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree: Path) -> None:
    (tree / "[1].png").touch()
    assert names(open_source(tree / "[1].png"), tree) == ["[1].png"]


@pytest.mark.parametrize("listed", [b"a.jpg\nb c.png\n", b"a.jpg\0b c.png\0"])
def test_a_list_on_stdin(listed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(listed)))
    assert list(open_source("-")) == [Path("a.jpg"), Path("b c.png")]


def test_an_empty_list_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\n")))
    with pytest.raises(InputError, match="stdin: expected a list of paths"):
        open_source("-")


def test_several_are_one_after_another(tree: Path) -> None:
    both = open_sources([str(tree / "b.jpg"), str(tree)], SourceOptions())
    assert names(both, tree) == ["b.jpg", "a.png", "b.jpg"]


@pytest.mark.parametrize("option", ["reconnect", "reconnect_wait", "timeout"])
def test_options_out_of_range_say_so(tree: Path, option: str) -> None:
    with pytest.raises(InputError, match=f"{option}: expected"):
        open_source(tree, **{option: -1})
