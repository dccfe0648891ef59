"""Tell what this machine's processor is and can, as Linux describes it."""

import platform
import re
from collections.abc import Mapping, Set
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
# With AVX-512 or AMX on x86, on Arm.
BFLOAT16_ISA = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# Bytes with a sign by bytes without one, summed in 32 bits.
INT8_ISA = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_BOARD = Path("/proc/device-tree/model")

# What the processors of a level of x86-64 have, in cpuinfo's words, from the lowest level on: the
# psABI, "Micro-Architecture Levels". Each has all of the one before it.
_V2 = frozenset({"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"})
_V3 = _V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}
X86_LEVELS = {"x86-64-v3": _V3, "x86-64-v4": _V4}


def host_cpu_isa(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """Return the flags that cpuinfo lists; empty where it lists none."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", _read(cpuinfo), re.MULTILINE)
    return frozenset(flags.group(1).split()) if flags else frozenset()


def x86_level(isa: Set[str]) -> str | None:
    """Return the highest level of which these flags have all; None where they have all of none."""
    return next((level for level in reversed(X86_LEVELS) if X86_LEVELS[level] <= isa), None)


def cpu_name(cpuinfo: Path = _CPUINFO, board: Path = _BOARD) -> str:
    """Return a name for the processor.

    On x86, cpuinfo has its name. A virtual machine may hide which of that name it is, as "AMD EPYC"
    without a number: family and model tell. On Arm it has numbers, and the board stands for it: the
    kernel of a Raspberry Pi names it there too, others in ``board``.
    """
    lines = re.findall(r"^([^:\n]*?)\s*: (.*)$", _read(cpuinfo), re.MULTILINE)
    facts = dict(reversed(lines))  # of a key that each core has, the first core's
    name = facts.get("model name") or facts.get("Model") or _read(board).rstrip("\0")
    if name:
        return name if re.search(r"\d", name) else name + _generation(facts)
    if "CPU implementer" not in facts or "CPU part" not in facts:
        return platform.machine()
    part = f"implementer {facts['CPU implementer']}, part {facts['CPU part']}"
    return f"{platform.machine()}, {part}"


def _generation(facts: Mapping[str, str]) -> str:
    if "cpu family" not in facts or "model" not in facts:
        return ""
    return f", family {facts['cpu family']}, model {facts['model']}"


def multiplies_in_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Tell whether the processor has instructions for products of bfloat16."""
    return not BFLOAT16_ISA.isdisjoint(host_cpu_isa(cpuinfo))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
