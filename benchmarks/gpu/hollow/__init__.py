"""Builds a GPU that computes nothing, to rehearse the host's part of a GPU's work where
there is none.

    python -m benchmarks.gpu.hollow FOLDER        writes FOLDER/libcuda.so.1
    python -m benchmarks.gpu.hollow FOLDER -- COMMAND ...

Loaded before all others, the library stands in for CUDA's runtime, its driver and cuBLAS, for
torch as for Triton: models are exported, compiled for an H100, packed, loaded and run by both
programs. No kernel runs, and every result is zeros.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

_SOURCE = Path(__file__).parent / "device.cpp"
_OURS = re.compile(r"^CUDA_API .*?\b(\w+)\(", re.MULTILINE)
_ASKED_FOR = re.compile(r" U ((?:__)?cuda\w+|cublas\w+|cu[A-Z]\w*)")
_NAMED = re.compile(r"\b(cu[A-Z]\w+)\b")
_WHOLE = ("cuda.h", "crt/host_defines.h", "nv/target")  # each of another package
_NOT_CUDA = ("cuFile",)
# What a compiled model asks for, and our programs.
_DRIVER = ("cuInit", "cuLaunchKernel", "cuFuncSetAttribute", "cuModuleUnload")


def make(folder: Path) -> Path:
    """Compile ``libcuda.so.1`` in a folder, for the torch that is installed here; return its path.

    Raises:
        ValueError: This torch is not built for CUDA, or there are no headers of CUDA.
        CalledProcessError: The C++ compiler failed.
    """
    import torch

    if torch.version.cuda is None:
        raise ValueError(f"torch {torch.__version__} is not built for CUDA")
    folder.mkdir(parents=True, exist_ok=True)
    rest, objects, library = (folder / name for name in ("rest.c", "rest.o", "libcuda.so.1"))
    rest.write_text("".join(f"int {name}(void) {{ return 0; }}\n" for name in _rest(_libraries())))
    subprocess.run(["gcc", "-c", "-fPIC", "-w", rest, "-o", objects], check=True)
    major, minor = map(int, torch.version.cuda.split(".")[:2])
    options = ["-std=c++20", "-O1", "-fPIC", "-shared", f"-Wl,-soname,{library.name}"]
    options += [f"-DCUDA_VERSION_SEEN={major * 1000 + minor * 10}"]
    options += [f"-I{path}" for path in _headers()]
    subprocess.run(["g++", *options, _SOURCE, objects, "-o", library, "-ldl"], check=True)
    linked = folder / "libcuda.so"  # by which a linker finds it
    linked.unlink(missing_ok=True)
    linked.symlink_to(library.name)
    return library


def environment(library: Path) -> dict[str, str]:
    """Return the environment variables under which a program takes the library for a GPU."""
    folder = str(library.parent)
    return {
        "LD_PRELOAD": str(library),
        "LIBRARY_PATH": os.pathsep.join(filter(None, [folder, os.environ.get("LIBRARY_PATH")])),
        "TRITON_LIBCUDA_PATH": folder,
        "CUDA_HOME": str(_headers()[0].parent),
        # Each tensor has memory of its own, which is zero: results do not depend on what was there.
        "PYTORCH_NO_CUDA_MEMORY_CACHING": "1",
    }


def _rest(libraries: Iterable[Path]) -> Iterator[str]:
    """List every function that the libraries ask for and that ``device.cpp`` does not define."""
    import triton

    # Triton calls the driver from C, and from Python that writes C.
    driver = Path(triton.__file__).parent / "backends" / "nvidia"
    asked = {*_DRIVER}
    for name in ("driver.c", "driver.py"):
        asked |= {*_NAMED.findall((driver / name).read_text())}
    for library in libraries:
        command = ["nm", "--dynamic", "--undefined-only", "--without-symbol-versions", library]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        asked |= {*_ASKED_FOR.findall(said)}
    known = {*_OURS.findall(_SOURCE.read_text())}
    yield from sorted(name for name in asked - known if not name.startswith(_NOT_CUDA))


def _libraries() -> list[Path]:
    import torch

    return sorted((Path(torch.__file__).parent / "lib").glob("*.so"))


def _headers() -> list[Path]:
    """Return the folders of CUDA's headers: in the packages that torch brings, or in a toolkit."""
    import torch

    packages = Path(torch.__file__).parent.parent / "nvidia"
    places = [*sorted(packages.glob("cu*")), Path("/usr/local/cuda")]
    includes = [home / "include" for home in places]
    found = [each for each in includes if all((each / name).exists() for name in _WHOLE)]
    if not found:
        where = ", ".join(map(str, includes))
        cure = "pip install nvidia-cuda-crt nvidia-cuda-cccl"
        raise ValueError(f"no CUDA headers in {where}: {cure}")
    return found
