"""A GPU that computes nothing: what torch sees of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import hollow
from benchmarks.record import ROOT

if torch.version.cuda is None:
    pytest.skip("this torch is not built for CUDA", allow_module_level=True)

SEEN = """
import torch
from mpm_deploy.builder.verify import _check_scores
assert torch.cuda.get_device_capability() == (9, 0)
tokens = torch.ones(4, 64, device="cuda", dtype=torch.bfloat16)
product = tokens @ tokens.t()
torch.cuda.synchronize()
assert product.shape == (4, 4) and not product.cpu().any()
_check_scores("eager", product.float(), "what is read back is true")
there_and_back = torch.arange(6.0).cuda().cpu()
assert there_and_back.tolist() == [0, 1, 2, 3, 4, 5]
print("seen")
"""


def test_torch_takes_it_for_an_h100(tmp_path: Path) -> None:
    try:
        library = hollow.make(tmp_path)
    except ValueError as error:
        pytest.skip(str(error))
    environment = os.environ | hollow.environment(library)
    command = [sys.executable, "-c", SEEN]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "seen\n", done.stderr


def test_nothing_is_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what torch asks for, ``device.cpp`` has some, and the rest is generated."""
    rest = list(hollow._rest(hollow._libraries()))
    source = hollow._SOURCE.read_text()
    assert len(rest) > 100 and len(rest) == len(set(rest))
    assert not [name for name in rest if f" {name}(" in source]
