"""The guide to videos and cameras runs."""

import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.running import run
from tests.run.sources.clips_made import pictures, write_clip
from tests.support.scripts import ROOT

GUIDE = (ROOT / "docs" / "guides" / "video.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (.*mpm-deploy run .*)$", GUIDE, re.MULTILINE)


@pytest.fixture
def folder(
    artifact: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """What the guide's commands name, but for cameras."""
    shutil.copy(artifact, tmp_path / "segmenter.pt2")
    shutil.copytree(image_folder, tmp_path / "photos")
    write_clip(tmp_path / "street.mp4", list(pictures(3)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "rtsp" in command or "/dev/" in command:
        pytest.skip("no camera is here")
    before, words = re.fullmatch(r"(?:(.*) \| )?mpm-deploy (.*)", command).groups()  # type: ignore[union-attr]
    piped = subprocess.run(["sh", "-ec", before or ":"], capture_output=True, check=True).stdout
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(piped)))
    assert run(*shlex.split(words)) == 0


def test_the_python_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(example, "video.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:3]] == ["1", "2", "3"]
    assert printed[-1] == "0 frames could not be decoded"
