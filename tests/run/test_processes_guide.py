"""The guide to processes runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import INPUT_SIZE
from tests.support.scripts import ROOT

BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "guides" / "processes.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("block", BLOCKS, ids=["forked", "pickled"])
def test_the_guide_runs(artifact: Path, image_folder: Path, tmp_path: Path, block: str) -> None:
    shutil.copy(artifact, tmp_path / "segmenter.pt2")
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(image_folder / "image_0.jpg", tmp_path / name)
    (tmp_path / "guide.py").write_text(block)
    done = subprocess.run(
        [sys.executable, "guide.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.stdout == 2 * f"{INPUT_SIZE}\n", done.stderr
