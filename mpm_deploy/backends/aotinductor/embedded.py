"""Put this package's C++ into a ``.pt2``, for what a compiler's own loops are slow at.

    kernels/*.cpp ── for its processors ──▶ libmpm_<digest>.a ──┐
    exported model ─▶ Inductor ─▶ its C++ ───────────────────────┴─▶ the library in the .pt2

Python and C++ run such a file as any other: it asks for nothing that is not in it.
"""

import hashlib
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import mpm_deploy.ops.attention.fused
import mpm_deploy.ops.blending.kernel
import mpm_deploy.ops.byte_table.kernel
import mpm_deploy.ops.deformable_attention.kernel
import mpm_deploy.ops.gelu.kernel
import mpm_deploy.ops.nearest_neighbor.pairwise  # noqa: F401  each declares an operator
from mpm_deploy.errors import BuildError
from mpm_deploy.support.compiler import COMPILER_CURE
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.temporary_folder import temporary_folder

_KERNELS = Path(__file__).parent / "kernels"
_PLACES = ("TMPDIR", "TORCHINDUCTOR_CACHE_DIR")  # where compilers write

# As Inductor calls them: a tensor is a handle, an optional one a pointer to it, results come last.
_DECLARATIONS = {
    "attention": """
        AOTITorchError aoti_torch_cpu_attention(
            AtenTensorHandle q, AtenTensorHandle k, AtenTensorHandle v, AtenTensorHandle offsets,
            AtenTensorHandle* key_log_weight, AtenTensorHandle* attended)
    """,
    "blend": """
        AOTITorchError aoti_torch_cpu_blend(
            AtenTensorHandle cells, AtenTensorHandle by_direction, AtenTensorHandle* blended)
    """,
    "deformable_attention": """
        AOTITorchError aoti_torch_cpu_deformable_attention(
            AtenTensorHandle values, const int64_t* grids, int64_t length,
            AtenTensorHandle locations, AtenTensorHandle weights, AtenTensorHandle* attended)
    """,
    "gelu": """
        AOTITorchError aoti_torch_cpu_gelu(AtenTensorHandle rows, AtenTensorHandle* result)
    """,
    "look_up": """
        AOTITorchError aoti_torch_cpu_look_up(
            AtenTensorHandle values, AtenTensorHandle table, AtenTensorHandle* found)
    """,
    "most_similar": """
        AOTITorchError aoti_torch_cpu_most_similar(
            AtenTensorHandle unit, AtenTensorHandle offsets, int64_t special_tokens,
            AtenTensorHandle* nearest)
    """,
}


@contextmanager
def compilers_folder() -> Iterator[Path]:
    """Give a folder that holds all that compilers write while it is open.

    It goes with them, also where they are killed. Inductor's cache does too: it compiles every
    model anew, and would keep a library of each; and two builds side by side would write files of
    the same name into it.
    """
    with (
        temporary_folder() as folder,
        mock.patch.dict(os.environ, dict.fromkeys(_PLACES, str(folder))),
    ):
        yield folder


@contextmanager
def embedded_kernels(flags: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give Inductor's options for a model with this package's operators, valid while it is open.

    Args:
        flags: What tells the compiler which processors they are for.

    Raises:
        BuildError: The C++ compiler failed.
    """
    with compilers_folder() as folder:
        library = _write_library(folder, flags)
        shims = {
            getattr(torch.ops.mpm, name).default: [declaration]
            for name, declaration in _DECLARATIONS.items()
        }
        # Where the linker looks besides its own folders: Inductor has no option for that.
        paths = os.pathsep.join(filter(None, [str(folder), os.environ.get("LIBRARY_PATH")]))
        with mock.patch.dict(os.environ, LIBRARY_PATH=paths):
            yield {
                "aot_inductor.custom_ops_to_c_shims": shims,
                "aot_inductor.custom_op_libs": [library],
            }


def _write_library(folder: Path, processors: Sequence[str]) -> str:
    """Write the static library of kernels, and return the name that a linker knows it by."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    texts = b"".join(path.read_bytes() for path in sorted(_KERNELS.iterdir()))
    # Inductor keeps what it once linked, by the text of its command: another library, another name.
    name = f"mpm_{hashlib.sha256(texts).hexdigest()[:12]}"
    library = _library(name, get_cpp_compiler(), tuple(processors))
    (folder / f"lib{name}.a").write_bytes(library)
    return name


@cache
def _library(name: str, compiler: str, processors: tuple[str, ...]) -> bytes:
    """Compile the kernels, once in a process: a sweep builds many models for one processor.

    Args:
        name: Tells the kernels from others.
        compiler: The command of a C++ compiler, as ``"ccache g++"``.
        processors: What tells it which processors they are for.

    Returns:
        A static library.
    """
    from torch.utils.cpp_extension import include_paths

    flags = ["-std=c++20", "-O3", *processors, "-ffp-contract=fast", "-fopenmp", "-w"]
    flags += ["-fPIC", "-fvisibility=hidden"]  # hidden, as torch's own names begin alike
    includes = [f"-I{path}" for path in include_paths()]
    with temporary_folder() as folder, ThreadPoolExecutor(available_cores()) as side_by_side:

        def compiled(source: Path) -> str:
            target = str(folder / f"{source.stem}.o")
            _run([*shlex.split(compiler), *flags, *includes, "-c", str(source), "-o", target])
            return target

        objects = [*side_by_side.map(compiled, sorted(_KERNELS.glob("*.cpp")))]
        library = folder / f"lib{name}.a"
        _run(["ar", "rcs", str(library), *objects])
        return library.read_bytes()


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed", COMPILER_CURE) from error
    if done.returncode != 0:
        raise BuildError(
            f"{' '.join(command)} failed: {done.stderr.strip()}",
            "a C++20 compiler is needed, as GCC 12",
        )
