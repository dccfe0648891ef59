"""What is told to the compiler; what it makes of it is tested on artifacts."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.backends.aotinductor import embedded
from mpm_deploy.backends.aotinductor.backend import _compiler_options, _hint_sizes
from mpm_deploy.backends.aotinductor.target import Target, find_target
from tests.conftest import built_once, small_recipe


class Kept(nn.Module):
    """Has a size that depends on the data."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[rows[:, 0] > 0] * 2


def test_sizes_that_depend_on_the_data_get_a_hint() -> None:
    exported = torch.export.export(Kept(), (torch.ones(8, 3),))
    _hint_sizes(exported, 640)
    sizes = [node.meta["val"] for node in exported.graph.nodes if "val" in node.meta]
    symbols = [size for size in sizes if isinstance(size, torch.SymInt)]
    hints = symbols[0].node.shape_env.var_to_hint_override
    assert list(hints.values()) == [640]


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf")
def test_its_library_looks_for_names_in_its_own_standard_library_first(
    shared_folder: Path, tmp_path: Path
) -> None:
    """Libtorch shows parts of another compiler's."""
    artifact = built_once(small_recipe("cpu_fp32"), shared_folder / "cpu_fp32.pt2")
    with zipfile.ZipFile(artifact) as package:
        names = [name for name in package.namelist() if name.endswith(".so")]
        libraries = [package.extract(name, tmp_path) for name in names]
    for library in libraries:
        command = ["readelf", "--dynamic", library]
        dynamic = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        needed = re.findall(r"NEEDED.*\[(lib[a-z+]+)", dynamic)
        assert needed.index("libstdc++") < needed.index("libtorch")
    assert libraries


@pytest.mark.parametrize("target", [None, find_target("native", "float32")], ids=["gpu", "cpu"])
def test_a_build_keeps_what_compilers_write_to_itself(
    target: Target | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two side by side write files of the same name, and Inductor would keep them for good."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "everybodys")
    monkeypatch.setattr(embedded, "_library", lambda *_: b"")
    seen = []
    for _ in range(2):
        with _compiler_options(target):
            seen.append(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]))
            assert seen[-1].is_dir()
    assert len({*seen, Path("everybodys")}) == 3
    assert not any(folder.exists() for folder in seen)
