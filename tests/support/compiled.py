"""Modules compiled as AOTInductor's backend compiles them for a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mpm_deploy.backends.aotinductor.embedded import embedded_kernels
from mpm_deploy.backends.aotinductor.onednn import lower_inner_products
from mpm_deploy.backends.aotinductor.target import Cpu, find_target, inductor_for
from mpm_deploy.ops.own_kernels import exported_with_kernels
from mpm_deploy.support.processor import X86_LEVELS, host_cpu_isa

# Leaves out of kernels what is chosen as they run, as AMX.
CHOOSE_NOTHING = "-DMPM_NOTHING_CHOSEN"


def export(
    module: nn.Module, given: tuple[Any, ...], shapes: Any = None
) -> torch.export.ExportedProgram:
    """Export a module as AOTInductor's backend does for a file of ours."""
    with exported_with_kernels():
        return torch.export.export(module, given, dynamic_shapes=shapes)


def compiled_with_kernels(
    exported: torch.export.ExportedProgram, folder: Path, cpu: Cpu = "native", *flags: str
) -> Callable[..., Any]:
    """Pack a module and this package's kernels into a ``.pt2`` in ``folder``, and load it.

    Args:
        exported: The module.
        folder: An empty folder.
        cpu: As ``backend.cpu``; a level that this CPU has not is skipped.
        flags: For the compiler of kernels, beside those of the target.
    """
    if not X86_LEVELS.get(cpu, frozenset()) <= host_cpu_isa():
        pytest.skip(f"this CPU has not all of {cpu}")
    lower_inner_products()
    target = find_target(cpu, "bfloat16")
    with embedded_kernels((*target.flags, *flags)) as kernels, inductor_for(target) as vectors:
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=str(folder / "module.pt2"), inductor_configs=kernels | vectors
        )
    return torch._inductor.aoti_load_package(package)


def targets(exported: torch.export.ExportedProgram) -> set[str]:
    """The names of what an exported module calls."""
    return {str(node.target) for node in exported.graph.nodes}
