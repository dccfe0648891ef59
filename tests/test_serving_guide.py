"""The guide to serving runs: its command starts a server, its clients are answered, it stops."""

import base64
import json
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
            first_names: dict[str, Any] = {}
            for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
                code = block.replace("8080", rest).replace("8081", rpc)
                names = {} if number else first_names  # each brings what it imports
                exec(compile(code, "docs/guides/serving.md", "exec"), names)
            (shell,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
            asked = _asked(shell.replace("8080", rest)) if shutil.which("curl") else None
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
    assert (process.returncode, said) == (0, "stopped; what was begun is finished\n")
    height, width = INPUT_SIZE  # of image_0.jpg too
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{(width, height)} [")
    assert second.startswith(f"{(2, height, width)} {(2, CLASSES)}"[:-1])
    with Image.open("street.png") as label_map:
        assert (np.asarray(label_map) == np.asarray(first_names["label_map"])).all()
    if asked is not None:
        assert asked == Path("street.png").read_bytes()


def _asked(shell: str) -> bytes:
    """Return the label map that a shell's command is answered with."""
    said = subprocess.run(["bash", "-c", shell], capture_output=True, check=True).stdout
    (label_map,) = [out for out in json.loads(said)["outputs"] if out["name"] == "label_map"]
    return base64.b64decode(label_map["data"][0])


def _ports(stderr: Any) -> tuple[str, str]:
    for line in stderr:
        found = re.fullmatch(r"serving segmenter at http://.*:(\d+), gRPC at .*:(\d+)\n", line)
        if found:
            return found[1], found[2]
    raise AssertionError("it ended")
