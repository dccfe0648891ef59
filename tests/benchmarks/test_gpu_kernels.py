"""Triton kernels compiled for an H100: all of the package, and each fits."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.kernels import CASES, LAUNCHES, MOST_SHARED, fits

ROOT = Path(__file__).parent.parent.parent


def triton_kernels() -> set[str]:
    """Every function of the package under ``@triton.jit``, whatever it is imported as."""
    found = set()
    for path in (ROOT / "mpm_deploy").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(map(is_jit, node.decorator_list)):
                found.add(f"{module}.{node.name}")
    return found


def is_jit(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
    return name == "jit"


def test_no_kernel_is_missing() -> None:
    assert triton_kernels() == LAUNCHES.keys()
    assert {*CASES} == {
        (name, dtype) for name in LAUNCHES for dtype in ("float32", "bfloat16", "float16")
    }


def test_what_spills_or_is_too_large_does_not_fit() -> None:
    assert fits(registers=168, shared=MOST_SHARED, spilled=0)
    assert not fits(registers=168, shared=MOST_SHARED + 1, spilled=0)
    assert not fits(registers=255, shared=1024, spilled=8)
    assert not fits(registers=256, shared=1024, spilled=0)


def test_every_kernel_compiles_for_an_h100() -> None:
    pytest.importorskip("triton", reason="Triton comes with PyTorch's builds for CUDA")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu.kernels"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if "_search" in line]
    assert [line[1] for line in lines] == ["float32", "bfloat16", "float16"]
    assert all(line[-3:] == ["0", "yes", "yes"] for line in lines)
