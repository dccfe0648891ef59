"""Modules compiled as AOTInductor's backend compiles them for a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mpm_deploy.backends.aotinductor.embedded import embedded_kernels
from mpm_deploy.backends.aotinductor.onednn import lower_inner_products
from mpm_deploy.backends.aotinductor.target import Cpu, find_target, inductor_for


def compiled_with_kernels(
    exported: torch.export.ExportedProgram, folder: Path, cpu: Cpu = "native"
) -> Callable[..., Any]:
    """Pack a module and this package's kernels into a ``.pt2`` in ``folder``, and load it."""
    lower_inner_products()
    target = find_target(cpu, "bfloat16")
    with embedded_kernels(target.flags) as kernels, inductor_for(target) as vectors:
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=str(folder / "module.pt2"), inductor_configs=kernels | vectors
        )
    return torch._inductor.aoti_load_package(package)


def targets(exported: torch.export.ExportedProgram) -> set[str]:
    """The names of what an exported module calls."""
    return {str(node.target) for node in exported.graph.nodes}
