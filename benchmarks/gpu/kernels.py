"""Every Triton kernel of the package, compiled for an H100 without one.

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

from rich import box
from rich.console import Console
from rich.table import Table

CAPABILITY, WARP = 90, 32  # sm_90, threads
MOST_SHARED = 227 << 10  # bytes of a block (CUDA C++ Programming Guide, compute capability 9.0)
MOST_REGISTERS = 255
_TYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class Case:
    """A kernel as it is launched for tokens of one type.

    Attributes:
        module: That it stands in.
        kernel: Its function.
        dtype: Of the tokens.
    """

    module: str
    kernel: str
    dtype: str

    @property
    def name(self) -> str:
        """As in ``mpm_deploy.ops.streaming._search``."""
        return f"{self.module}.{self.kernel}"


@dataclass(frozen=True)
class Compiled:
    """What a kernel needs.

    Attributes:
        case: Which it is.
        registers: Of a thread.
        shared: Bytes of a block.
        spilled: Bytes of a thread, in local memory and on the stack.
        warps: Of a block.
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
        """Whether an H100 can launch it, and it spills nothing."""
        fits = self.shared <= MOST_SHARED and self.registers <= MOST_REGISTERS
        return fits and self.spilled == 0


@dataclass(frozen=True)
class Launch:
    """How a kernel is launched: types of its arguments, and what it is compiled for.

    Attributes:
        signature: A type for each argument that is no constant.
        constants: A value for each that is.
        aligned: Arguments that are multiples of 16, as Triton finds them where it launches.
        warps: Of a block.
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
LAUNCHES: dict[str, Callable[[Any, str], Launch]] = {"mpm_deploy.ops.streaming._search": _search}
CASES = tuple(Case(*name.rsplit(".", 1), dtype) for name in LAUNCHES for dtype in _TYPES)


def compile_case(case: Case) -> Compiled:
    """For compute capability 9.0.

    Raises:
        CompilationError: Triton cannot; of its own kind.
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
    """Registers of a thread, and bytes of it that did not fit into them."""
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
    """One line a kernel and type."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("kernel")
    table.add_column("tokens")
    for name in ("warps", "registers", "shared KiB", "spilled bytes", "wgmma", "fits sm_90"):
        table.add_column(name, justify="right")
    for each in compiled:
        table.add_row(
            *(each.case.name, each.case.dtype, str(each.warps), str(each.registers)),
            *(f"{each.shared / 1024:.1f}", str(each.spilled)),
            *("yes" if flag else "no" for flag in (each.wgmma, each.fits)),
        )
    return table


def show(console: Console) -> None:
    """Compile all, and say what each needs.

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
