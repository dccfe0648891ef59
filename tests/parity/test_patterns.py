"""Patterns: both programs find the same files, in the same order."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.parity.conftest import PYTHON

NAMES = [
    *("a.jpg", "b.jpg", "B.jpg", "ü.jpg", "[1].jpg", "-.jpg", ".hidden.jpg", "a.jpeg"),
    *("in/a.jpg", "in/c.jpg", "in/deep/a.jpg", "in/deep/d.jpg", ".in/e.jpg", "in/.in/f.jpg"),
    *("in2/a.jpg", "in2/folder.jpg/g.jpg"),
]
PATTERNS = [
    *("*.jpg", "**/*.jpg", "**", "in/**", "**/a.jpg", "**/deep/**", "**/**/a.jpg", "*/**/*.jpg"),
    *("./**/d.jpg", "in/../**/c.jpg", "in//*.jpg", "in*/a.jpg", "**/[ac].jpg", "?.jpg", "[!a].jpg"),
    *("[[]1].jpg", "[a-b].jpg", "[b-]*.jpg", ".*/*.jpg", ".*", "**/.in/*", "*.jp*g", "link/**/a.*"),
]


@pytest.fixture(scope="module")
def tree(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with odd names, in folders inside folders, one of which is a link."""
    folder = tmp_path_factory.mktemp("tree")
    image = sorted(image_folder.glob("*.jpg"))[0]
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder / name)
    (folder / "link").symlink_to("in")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    return folder


def found(command: list[str], artifact: Path, tree: Path, patterns: list[str]) -> list[str]:
    """The names that a program runs on, in order, of patterns from within the tree."""
    answer = subprocess.run(
        [*command, "run", str(artifact), *patterns, "--json", "-", "--batch", "16"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode in (0, 3), answer.stderr
    return [json.loads(line)["name"] for line in answer.stdout.splitlines()[1:-1]]


def test_both_find_the_same(artifact: Path, tree: Path, cpp_command: list[str]) -> None:
    """All patterns in one run of each program: each is looked up by itself."""
    ours = found(PYTHON, artifact, tree, PATTERNS)
    assert ours == found(cpp_command, artifact, tree, PATTERNS)
    assert ours[:7] == ["-.jpg", "B.jpg", "[1].jpg", "a.jpg", "b.jpg", "gone.jpg", "ü.jpg"]
    assert ours.count("in/deep/a.jpg") > 5


@pytest.mark.parametrize("pattern", ["**/*.gif", "in2/**/x*", "a.jpg/**/*", "*/nowhere/**"])
def test_no_match_is_told(command: list[str], pattern: str, artifact: Path, tree: Path) -> None:
    words = [*command, "run", str(artifact), pattern, "--json", "-"]
    answer = subprocess.run(words, cwd=tree, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"error: {pattern}: no file matches this pattern",
        "  hint: try it with `ls`",
    ]
