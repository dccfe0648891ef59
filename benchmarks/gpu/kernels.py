"""Compiles every Triton kernel of the package for an H100, without one.

    python -m benchmarks.gpu.kernels

Prints what each needs: registers of a thread, shared memory of a block, and the bytes that did not
fit into registers. No kernel is run, and nothing here is a measurement.
"""

import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.bench.tables import rows_table

CAPABILITY, WARP = 90, 32  # sm_90, threads
MOST_SHARED = 227 << 10  # bytes of a block (CUDA C++ Programming Guide, compute capability 9.0)
MOST_REGISTERS = 255
_TYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Launch:
    """The types of a kernel's arguments when it is launched, and the values it is compiled for.

    Attributes:
        signature: A type for each argument that is no constant.
        constants: A value for each argument that is a constant.
        aligned: Arguments that are multiples of 16, as Triton finds them where it launches.
        warps: Warps of a block.
    """

    signature: dict[str, str]
    constants: dict[str, object]
    aligned: tuple[str, ...]
    warps: int


def _search(module: Any, dtype: str) -> Launch:
    import torch

    tile = module.tile_for(getattr(torch, dtype))
    constants = {
        "PRECISION": tile.precision,
        "ROWS": tile.rows,
        "COLUMNS": tile.columns,
        "CHANNELS": tile.channels,
    }
    signature = {
        "tokens": f"*{_TYPES[dtype]}",
        "inverse_norms": "*fp32",
        "offsets": "*i32",
        "nearest": "*i64",
        "width": "i32",
        "special_tokens": "i32",
    }
    return Launch(signature, constants, ("tokens", "width"), tile.warps)


# Each kernel of the package, by its full name; a test holds that none is missing.
LAUNCHES: dict[str, Callable[[Any, str], Launch]] = {
    "mpm_deploy.ops.nearest_neighbor.triton._search": _search
}
CASES = tuple((name, dtype) for name in LAUNCHES for dtype in _TYPES)


def compiled(name: str, dtype: str) -> Row:
    """Compile a kernel for compute capability 9.0, as it is launched for tokens of one type, and
    return the resources that it needs.

    Raises:
        CompilationError: Triton cannot compile it; the error is Triton's own.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    place, kernel = name.rsplit(".", 1)
    module = importlib.import_module(place)
    launch = LAUNCHES[name](module, dtype)
    names = [*launch.signature, *launch.constants]
    source = ASTSource(
        getattr(module, kernel),
        {**launch.signature, **dict.fromkeys(launch.constants, "constexpr")},
        {(names.index(key),): value for key, value in launch.constants.items()},
        {(names.index(name),): [["tt.divisibility", 16]] for name in launch.aligned},
    )
    target = GPUTarget("cuda", CAPABILITY, WARP)
    made = triton.compile(source, target=target, options={"num_warps": launch.warps})
    usage = resource_usage(made.asm["cubin"])
    shared, spilled = made.metadata.shared, usage["STACK"] + usage["LOCAL"]
    return {
        "kernel": name,
        "tokens": dtype,
        "warps": launch.warps,
        "registers": usage["REG"],
        "shared KiB": f"{shared / 1024:.1f}",
        "spilled bytes": spilled,
        "wgmma": "yes" if "wgmma" in made.asm["ptx"] else "no",  # Hopper's matrix instruction
        "fits sm_90": "yes" if fits(usage["REG"], shared, spilled) else "no",
    }


def fits(registers: int, shared: int, spilled: int) -> bool:
    """Tell whether an H100 can launch a kernel, and it spills nothing."""
    return shared <= MOST_SHARED and registers <= MOST_REGISTERS and spilled == 0


def resource_usage(cubin: bytes) -> dict[str, int]:
    """Return the registers of a thread, and the bytes of it that did not fit into them."""
    import triton

    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        command = [tool, "--dump-resource-usage", path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if "REG:" in line)
    return {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", line)}


def main() -> None:
    rows = [compiled(name, dtype) for name, dtype in CASES]
    console = Console(width=130)
    console.print("Compiled for sm_90 without a GPU; none was run:")
    console.print(rows_table(rows))
    if any(row["fits sm_90"] == "no" for row in rows):
        sys.exit("a kernel does not fit an H100")


if __name__ == "__main__":
    main()
