"""Say which instructions the code in a ``.pt2`` may use, and have every compiler keep to them.

    backend.cpu          compilers may use                           a host must have
    ───────────────────────────────────────────────────────────────────────────────────────────
    a level of x86-64    what that level has                         its flags
    native               the highest level that this CPU has, and    the flags of both
                         the instructions for bfloat16 or int8
    native, no level     all that this CPU has                       those of it that a compiler
                                                                     uses on its own

So a host is asked for what the compilers were allowed and no more. oneDNN is no part of the file:
it chooses its kernels for the CPU that it runs on, and so do those of the file that take AMX or
AVX-512 VBMI where it is.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

from mpm_deploy.support.processor import X86_LEVELS, host_cpu_isa, x86_level

Cpu = Literal["native", "x86-64-v3", "x86-64-v4"]

# What a compiler may use on its own when told to build for this very processor (-march=native).
_COMPILER_ISA = frozenset(
    {
        *("avx", "avx2", "avx_vnni", "fma", "f16c", "bmi1", "bmi2", "gfni", "vaes", "vpclmulqdq"),
        *("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma", "avx512vbmi"),
        *("avx512_vnni", "avx512_bf16", "avx512_fp16", "avx512_vbmi2", "avx512_bitalg"),
        "avx512_vpopcntdq",
    }
)


@dataclass(frozen=True)
class Target:
    """The processors that a file is for.

    Attributes:
        level: The level of x86-64 that its code keeps to; None is all that this CPU has.
        flags: What tells a C++ compiler so.
        cpu_isa: What a host must have, in the words of ``/proc/cpuinfo``.
    """

    level: str | None
    flags: tuple[str, ...]
    cpu_isa: frozenset[str]


def find_target(cpu: Cpu, dtype: str) -> Target:
    """Return what ``backend.cpu`` stands for on this machine, in a dtype of the recipe's."""
    here = host_cpu_isa()
    if cpu != "native":
        return Target(cpu, (f"-march={cpu}",), X86_LEVELS[cpu])
    level = x86_level(here)
    if level is None:
        native = "-mcpu=native" if platform.machine() == "aarch64" else "-march=native"
        return Target(None, (native,), here & _COMPILER_ISA)
    beyond = _instructions_for(dtype, level) & here
    products = ["-mavx512bf16"] if "avx512_bf16" in beyond else []
    flags = (f"-march={level}", "-mtune=native", *products)
    return Target(level, flags, X86_LEVELS[level] | beyond)


def _instructions_for(dtype: str, level: str) -> frozenset[str]:
    """Return what a dtype is not fast without, or in int8 not right, and which is in no level.

    Without instructions for bytes oneDNN multiplies them by others, whose sums of two saturate.
    """
    if level != "x86-64-v4":
        return frozenset({"avx_vnni"} if dtype == "int8" else ())
    return {
        "bfloat16": frozenset({"avx512_bf16"}),
        "int8": frozenset({"avx512_bf16", "avx512_vnni"}),
    }.get(dtype, frozenset())


@contextmanager
def inductor_for(target: Target) -> Iterator[dict[str, Any]]:
    """Give Inductor's options for a target, valid while this is open.

    Inductor builds for this very processor, with the widest vectors that it finds here, and torch
    2.11 has no option for another one. The flags of its vectors come last in every command, where a
    level overrules what was said before.
    """
    from torch._inductor import cpu_vec_isa

    if target.level is None:
        yield {}
        return
    vectors: Any = {"x86-64-v3": cpu_vec_isa.VecAVX2, "x86-64-v4": cpu_vec_isa.VecAVX512}
    isa = type("Vectors", (vectors[target.level],), {"build_arch_flags": _saying(target)})()
    with mock.patch.object(cpu_vec_isa, "valid_vec_isa_list", lambda: [isa]):
        yield {"cpp.simdlen": isa.bit_width()}


def _saying(target: Target) -> Any:
    """Make the method by which Inductor's vectors say the compiler's flags."""
    return lambda vectors: " ".join(target.flags)
