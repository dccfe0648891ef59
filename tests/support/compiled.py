"""Modules compiled as AOTInductor's backend compiles them for a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mpm_deploy.backends.aotinductor.embedded import embedded_kernels
from mpm_deploy.backends.aotinductor.onednn import lower_inner_products


def compiled_with_kernels(
    exported: torch.export.ExportedProgram, folder: Path
) -> Callable[..., Any]:
    """Pack a module and this package's kernels into a ``.pt2`` in ``folder``, and load it."""
    lower_inner_products()
    with embedded_kernels() as options:
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=str(folder / "module.pt2"), inductor_configs=options
        )
    return torch._inductor.aoti_load_package(package)


def targets(exported: torch.export.ExportedProgram) -> set[str]:
    """The names of what an exported module calls."""
    return {str(node.target) for node in exported.graph.nodes}
