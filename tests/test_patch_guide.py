"""The guide to `patch` runs, up to the artifact."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from mpm_deploy import Runner
from tests.support.scripts import ROOT

pytest.importorskip("timm")


def test_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "guides" / "patch.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    guide: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/guides/patch.md", "exec"), guide)
    assert capsys.readouterr().out.count("tensor(") == 2
    assert "forward_features" not in vars(guide["vit"])

    with Runner(tmp_path / "mine.pt") as runner, torch.inference_mode():
        pixels = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
        result = runner(pixels[0].permute(1, 2, 0).numpy())
        guide["mpm_deploy"].patch(guide["vit"].eval(), (2, 5))
        scores = guide["segment"](pixels / 127.5 - 1)
    expected = torch.nn.functional.interpolate(scores, size=(64, 96), mode="bilinear").argmax(1)
    assert (torch.as_tensor(result.labels) == expected[0]).float().mean() > 0.999
