"""Kernels inside a ``.pt2`` where memory ends: they fail, and leave nothing behind."""

import subprocess
from pathlib import Path

from torch._inductor.cpp_builder import get_cpp_compiler
from torch.utils.cpp_extension import include_paths

from mpm_deploy.backends.aotinductor import embedded

KERNELS = ("attention", "deformable_attention", "most_similar")  # that allocate


def test_a_kernel_without_memory_fails_and_releases_its_output(tmp_path: Path) -> None:
    program = tmp_path / "short_of_memory"
    sources = [embedded._KERNELS / f"{name}.cpp" for name in KERNELS]
    command = [get_cpp_compiler(), "-std=c++20", "-fopenmp", "-w"]
    command += [f"-I{path}" for path in include_paths()]
    command += [str(Path(__file__).with_name("short_of_memory.cpp")), *map(str, sources)]
    subprocess.run([*command, "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("failures") == len(KERNELS)
