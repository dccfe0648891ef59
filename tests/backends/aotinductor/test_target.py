"""Which instructions a file may hold: what compilers are told, and what they then write."""

import platform
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.backends.aotinductor import target
from mpm_deploy.backends.aotinductor.target import find_target
from mpm_deploy.errors import BuildError
from mpm_deploy.recipe import load_recipe
from mpm_deploy.support.processor import X86_LEVELS, host_cpu_isa
from tests.support.compiled import compiled_with_kernels

V3, V4 = X86_LEVELS["x86-64-v3"], X86_LEVELS["x86-64-v4"]
# A Sapphire Rapids: what it has beyond a level, compilers are not told of.
NEWER = V4 | {"avx512_bf16", "avx512_fp16", "avx512_vbmi2", "avx512_vnni", "amx_bf16"}


@pytest.mark.parametrize(
    ("here", "cpu", "dtype", "asked"),
    [
        (NEWER, "native", "float32", V4),
        (NEWER, "native", "bfloat16", V4 | {"avx512_bf16"}),
        (NEWER, "native", "int8", V4 | {"avx512_bf16", "avx512_vnni"}),
        (V3 | {"avx_vnni"}, "native", "int8", V3 | {"avx_vnni"}),
        (NEWER, "x86-64-v4", "bfloat16", V4),
        (NEWER, "x86-64-v3", "float32", V3),
        (V4 - {"avx512bw"}, "native", "float32", V3),
        ({"sse4_2", "avx", "amx_bf16"}, "native", "float32", {"avx"}),
        ({"asimd", "bf16"}, "native", "bfloat16", set()),
    ],
)
def test_a_host_is_asked_for_what_compilers_may_use(
    here: set[str], cpu: target.Cpu, dtype: str, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "host_cpu_isa", lambda: frozenset(here))
    assert find_target(cpu, dtype).cpu_isa == asked


@pytest.mark.parametrize(
    ("settings", "here", "problem", "cure"),
    [
        (["cpu=x86-64-v4"], V3, "level x86-64-v4, and this one lacks avx512bw, ", "cpu=native"),
        (
            ["cpu=x86-64-v3", "dtype=bfloat16"],
            NEWER,
            "bfloat16 on CPUs with AVX-512 alone",
            "cpu=x86-64-v4",
        ),
        (["cpu=x86-64-v4", "dtype=int8"], NEWER, "what int8 needs is in none", "cpu=native"),
    ],
)
def test_a_level_that_cannot_be_tried_here_is_refused(
    settings: list[str],
    here: frozenset[str],
    problem: str,
    cure: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr("mpm_deploy.backends.aotinductor.backend.host_cpu_isa", lambda: here)
    recipe = load_recipe("cpu_fp32").override(*(f"backend.{setting}" for setting in settings))
    with pytest.raises(BuildError, match=problem) as caught:
        recipe.backend.member.check(recipe)
    assert cure in (caught.value.hint or "")


def test_a_level_of_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    recipe = load_recipe("cpu_fp32").override("backend.cpu=x86-64-v3")
    with pytest.raises(BuildError, match="level x86-64-v3, and this machine is aarch64"):
        recipe.backend.member.check(recipe)


class Exponent(nn.Module):
    """A loop of Inductor's own, in the vectors that it chooses."""

    def forward(self, rows: Tensor) -> Tensor:
        return (rows.exp() + 1).log()


@pytest.mark.skipif(not host_cpu_isa() >= V3, reason="needs a CPU of level x86-64-v3")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
@pytest.mark.filterwarnings("ignore")  # Inductor's own
def test_code_of_a_level_has_no_wider_vectors(tmp_path: Path) -> None:
    exported = torch.export.export(Exponent(), (torch.ones(64, 64),))
    compiled = compiled_with_kernels(exported, tmp_path, "x86-64-v3")
    assert compiled(torch.zeros(64, 64)).allclose(torch.tensor(2.0).log())

    with zipfile.ZipFile(tmp_path / "module.pt2") as package:
        (name,) = (name for name in package.namelist() if name.endswith(".so"))
        library = package.extract(name, tmp_path)
    command = ["objdump", "--disassemble", "--no-show-raw-insn", library]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "%ymm" in code
    # AVX-512's registers: wide ones, those beyond the sixteenth, and masks.
    assert not re.search(r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])|%k[0-7]", code)
