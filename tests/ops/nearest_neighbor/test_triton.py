"""The streaming kernel compiled for an H100, which needs no GPU.

What it answers is tested beside the plain version in `test_reference.py`, by Triton's
interpreter.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="Triton comes with PyTorch's builds for CUDA")

PROGRAM = """
import json, sys
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mpm_deploy.ops.nearest_neighbor import triton as streaming

dtype, folder = sys.argv[1:]
name = {"float32": "fp32", "bfloat16": "bf16"}[dtype]
signature = {
    "tokens": "*" + name, "inverse_norms": "*fp32", "offsets": "*i32", "nearest": "*i64",
    "width": "i32", "special_tokens": "i32",
}
tile = streaming.tile_for(getattr(torch, dtype))
constants = {"PRECISION": tile.precision, "ROWS": tile.rows, "COLUMNS": tile.columns,
             "CHANNELS": tile.channels}
names = [*signature, *constants]
# As Triton finds it where it launches: memory is aligned, and widths are multiples of 64.
aligned = {(names.index(name),): [["tt.divisibility", 16]] for name in ("tokens", "width")}
source = ASTSource(
    streaming._search,
    {**signature, **dict.fromkeys(constants, "constexpr")},
    {(names.index(key),): value for key, value in constants.items()},
    aligned,
)
options = {"num_warps": tile.warps}
compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
with open(f"{folder}/kernel.cubin", "wb") as file:
    file.write(compiled.asm["cubin"])
print(json.dumps({"shared": compiled.metadata.shared, "ptx": compiled.asm["ptx"]}))
"""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_kernel_compiles_for_an_h100_and_spills_nothing(dtype: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, dtype, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    compiled = json.loads(done.stdout.splitlines()[-1])
    assert "wgmma" in compiled["ptx"]  # Hopper's own matrix instruction
    assert compiled["shared"] <= 227 << 10  # what a block of an H100 may have, in bytes
    usage = resource_usage(tmp_path / "kernel.cubin")
    assert usage["REG"] <= 255 and usage["STACK"] == 0 and usage["LOCAL"] == 0


def resource_usage(cubin: Path) -> dict[str, int]:
    """Registers of a thread, and bytes of it that did not fit into them."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    said = subprocess.run(
        [tool, "--dump-resource-usage", cubin], capture_output=True, text=True, check=True
    ).stdout
    (line,) = (line for line in said.splitlines() if "REG:" in line)
    return {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", line)}
