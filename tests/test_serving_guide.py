"""The guide to serving runs: its command starts a server, its clients are answered, it stops."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CLASSES, INPUT_SIZE
from tests.support.scripts import ROOT

pytestmark = pytest.mark.skipif(
    not (find_spec("kserve") and find_spec("tritonclient")),
    reason="kserve and tritonclient are not installed: pip install -e '.[dev]'",
)


def test_the_guide_runs(
    artifact: Path,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    mpm-deploy (serve .*)$", text, re.MULTILINE)
    shutil.copy(artifact, tmp_path / "segmenter.pt2")
    shutil.copy(image_folder / "image_0.jpg", tmp_path / "street.jpg")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.replace("8080", "0").replace("8081", "0"))
    server = [sys.executable, "-m", "mpm_deploy.cli", *words]
    with subprocess.Popen(server, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            rest, rpc = _ports(process.stderr)
            guide: dict[str, Any] = {}
            for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
                code = block.replace("8080", rest).replace("8081", rpc)
                exec(compile(code, "docs/guides/serving.md", "exec"), guide)
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
    assert (process.returncode, said) == (0, "stopped; what was begun is finished\n")
    height, width = INPUT_SIZE  # of image_0.jpg too
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{(width, height)} [")
    assert second.startswith(f"{(2, height, width)} {(2, CLASSES)}"[:-1])
    with Image.open("street.png") as label_map:
        assert (np.asarray(label_map) == np.asarray(guide["label_map"])).all()


def _ports(stderr: Any) -> tuple[str, str]:
    for line in stderr:
        found = re.fullmatch(r"serving segmenter at http://.*:(\d+), gRPC at .*:(\d+)\n", line)
        if found:
            return found[1], found[2]
    raise AssertionError("it ended")
