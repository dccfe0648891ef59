"""Compiles the smallest model there is, on a CPU and then on a GPU, and says by what.

    python -m benchmarks.gpu.smallest

Where even this crashes, it is the compiler, a library or the driver of this machine, and no model.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._inductor.cpp_builder import get_cpp_compiler


class _Smallest(nn.Module):
    def forward(self, numbers: Tensor) -> Tensor:
        return numbers + 1


def say_what_compiles() -> None:
    """Print the versions of what compiles a model here and runs it."""
    compiler = [get_cpp_compiler(), "--version"]
    print(subprocess.run(compiler, capture_output=True, text=True).stdout.splitlines()[0])
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}")
    loaded = Path("/proc/self/maps").read_text()
    print(*sorted(set(re.findall(r"/\S*lib(?:stdc\+\+|gomp|cudart|cuda)\S*", loaded))), sep="\n")


def compile_and_run(device: str) -> None:
    """Compile the model for a device by AOTInductor, open it, run it, and look at its answer."""
    numbers = torch.arange(6.0, device=device)
    exported = torch.export.export(_Smallest(), (numbers,))
    with tempfile.TemporaryDirectory() as folder:
        path = torch._inductor.aoti_compile_and_package(
            exported, package_path=f"{folder}/smallest.pt2"
        )
        print(f"{device}: compiled", flush=True)
        program = torch._inductor.aoti_load_package(path)
        print(f"{device}: opened", flush=True)
        torch.testing.assert_close(program(numbers), numbers + 1)
        print(f"{device}: ran", flush=True)


if __name__ == "__main__":
    torch._C._set_print_stack_traces_on_fatal_signal(True)  # C++'s; the launcher asks for Python's
    say_what_compiles()
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        compile_and_run(device)
