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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bench.tables import columns

CAPABILITY, WARP = 90, 32  # sm_90, threads
MOST_SHARED = 227 << 10  # bytes of a block (CUDA C++ Programming Guide, compute capability 9.0)
MOST_REGISTERS = 255
_TYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class Case:
    """A kernel as it is launched for tokens of one type.

    Attributes:
        module: The module that it stands in.
        kernel: The name of its function.
        dtype: The type of the tokens.
    """

    module: str
    kernel: str
    dtype: str

    @property
    def name(self) -> str:
        """The kernel's full name, as in ``mpm_deploy.ops.nearest_neighbor.triton._search``."""
        return f"{self.module}.{self.kernel}"


@dataclass(frozen=True)
class Compiled:
    """The resources that a compiled kernel needs.

    Attributes:
        case: The kernel and the type of its tokens.
        registers: Registers of a thread.
        shared: Bytes of shared memory of a block.
        spilled: Spilled bytes of a thread, in local memory and on the stack.
        warps: Warps of a block.
        wgmma: Whether it uses Hopper's own matrix instruction.
    """

    case: Case
    registers: int
    shared: int
    spilled: int
    warps: int
    wgmma: bool

    @property
    def fits(self) -> bool:
        """True if an H100 can launch the kernel, and it spills nothing."""
        fits = self.shared <= MOST_SHARED and self.registers <= MOST_REGISTERS
        return fits and self.spilled == 0


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


# Each kernel of the package; a test holds that none is missing.
LAUNCHES: dict[str, Callable[[Any, str], Launch]] = {
    "mpm_deploy.ops.nearest_neighbor.triton._search": _search
}
CASES = tuple(Case(*name.rsplit(".", 1), dtype) for name in LAUNCHES for dtype in _TYPES)


def compile_case(case: Case) -> Compiled:
    """Compile a kernel for compute capability 9.0.

    Raises:
        CompilationError: Triton cannot compile it; the error is Triton's own.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    module = importlib.import_module(case.module)
    launch = LAUNCHES[case.name](module, case.dtype)
    names = [*launch.signature, *launch.constants]
    source = ASTSource(
        getattr(module, case.kernel),
        {**launch.signature, **dict.fromkeys(launch.constants, "constexpr")},
        {(names.index(key),): value for key, value in launch.constants.items()},
        {(names.index(name),): [["tt.divisibility", 16]] for name in launch.aligned},
    )
    target = GPUTarget("cuda", CAPABILITY, WARP)
    compiled = triton.compile(source, target=target, options={"num_warps": launch.warps})
    usage = resource_usage(compiled.asm["cubin"])
    return Compiled(
        case=case,
        registers=usage["REG"],
        shared=compiled.metadata.shared,
        spilled=usage["STACK"] + usage["LOCAL"],
        warps=launch.warps,
        wgmma="wgmma" in compiled.asm["ptx"],
    )


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


def kernels_table(compiled: Iterable[Compiled]) -> Table:
    """Make a table with one line per kernel and type."""
    figures = ("warps", "registers", "shared KiB", "spilled bytes", "wgmma", "fits sm_90")
    table = columns(("kernel", "tokens"), figures)
    for each in compiled:
        table.add_row(
            *(each.case.name, each.case.dtype, str(each.warps), str(each.registers)),
            *(f"{each.shared / 1024:.1f}", str(each.spilled)),
            *("yes" if flag else "no" for flag in (each.wgmma, each.fits)),
        )
    return table


def show(console: Console) -> None:
    """Compile all kernels, and print what each needs.

    Raises:
        SystemExit: One does not fit.
    """
    compiled = [compile_case(case) for case in CASES]
    console.print("Compiled for sm_90 without a GPU; none was run:")
    console.print(kernels_table(compiled))
    if not all(each.fits for each in compiled):
        sys.exit("a kernel does not fit an H100")


if __name__ == "__main__":
    show(Console(width=130))
