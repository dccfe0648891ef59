"""The guide to a model of one's own runs, and its file says what that model says in PyTorch."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from mpm_deploy import Runner
from tests.conftest import cpu_recipes
from tests.parity.conftest import ROOT, Run, smooth

pytest.importorskip("timm")

SUFFIXES = {"cpu_fp32": ".pt2", "cpu_portable_fp32": ".pt"}
CLEAR = 1e-3  # of the scores' range, by which a class is ahead; the build's bound is the labels'


@pytest.fixture(
    scope="module",
    params=[
        recipe
        for recipe in cpu_recipes(quick=("cpu_portable_fp32",))
        if recipe.values[0] in SUFFIXES
    ],
)
def guide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the guide's code has made, in its folder; AOTInductor takes long, and is the guide's."""
    recipe = request.param
    text = (ROOT / "docs" / "guides" / "your-model.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (command,) = re.findall(r"^    build/cpp_runner (.*)$", text, re.MULTILINE)
    folder = tmp_path_factory.mktemp(recipe)
    script = folder / "guide.py"  # TorchScript reads its source
    script.write_text(code.replace("cpu_fp32", recipe).replace(".pt2", SUFFIXES[recipe]))
    Image.fromarray(smooth(64, 96)).save(folder / "street.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        torch.manual_seed(0)
        made = runpy.run_path(str(script), run_name="guide")
    return folder, made, command.replace(".pt2", SUFFIXES[recipe])


def test_the_full_token_file_says_what_pytorch_says(guide: Any) -> None:
    folder, made, _ = guide
    model, image = made["model"], folder / "street.jpg"
    pixels = torch.as_tensor(np.array(Image.open(image))).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (model.mean, model.std))
    vit, head = made["vit"].eval(), made["head"].eval()
    with torch.inference_mode():
        tokens = vit.forward_features((pixels - mean) / std)[:, vit.num_prefix_tokens :]
        scores = head(tokens.transpose(1, 2).unflatten(2, vit.patch_embed.grid_size))
        scores = functional.interpolate(scores, size=(64, 96), mode="bilinear")[0]
    expected = scores.argmax(0)
    best, second = scores.topk(2, dim=0).values
    clear = best - second > CLEAR * (scores.max() - scores.min())
    assert clear.float().mean() > 0.9 and len(expected.unique()) > 1
    with Runner(next(folder.glob("full.*"))) as runner:
        labels = torch.as_tensor(runner(image).labels)
    assert torch.equal(labels[clear].long(), expected[clear])


def test_both_runners_say_the_same(guide: Any, cpp_runner: Run, tmp_path: Path) -> None:
    folder, made, command = guide
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = cpp_runner(*command.split())
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "labels" / "street.png") as labels:
        assert np.array_equal(np.asarray(labels), made["result"].labels)
    assert made["result"].tokens_kept[-1] < 24
