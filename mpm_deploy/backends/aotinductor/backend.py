"""Compile models with AOTInductor: a ``.pt2`` holds machine code for one level of processors.

It runs without Python.
"""

import platform
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mpm_deploy.artifact import BatchRange, Manifest, Requires, check_payload
from mpm_deploy.backends.aotinductor.entry import Entry, EntryKind, open_entries
from mpm_deploy.backends.aotinductor.target import Cpu, Target, find_target, inductor_for
from mpm_deploy.backends.base import (
    Backend,
    Compiled,
    Program,
    Servable,
    check_unpacked,
    failed_in_run,
    uncompilable,
    unloadable,
)
from mpm_deploy.backends.file_program import FileProgram
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.errors import BuildError
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.compiler import COMPILER_CURE, compiler_name, find_compiler
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.family import require
from mpm_deploy.support.processor import BFLOAT16_ISA, INT8_ISA, X86_LEVELS, host_cpu_isa
from mpm_deploy.support.temporary_folder import check_temporary_folder

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter

# What a processor must have one of, that a type is no slower than float32.
_DTYPE_ISA = {"float32": frozenset[str](), "bfloat16": BFLOAT16_ISA, "int8": INT8_ISA}

_CUDA_OPTIONS = {
    # Not knowing the number of rows, Inductor would split the sums of each LayerNorm: three kernels
    # and two readings of the rows, where one does.
    "split_reductions": False,
    # Kernels are tuned by running the model once on example images. By default each is tuned by
    # itself on made-up tensors, where the offsets of images are all zero: an index past their end
    # stops the build with a device-side assert (pytorch/pytorch issue 192143).
    "triton.autotune_at_compile_time": False,
    # Kernels lie in the library and not in files beside it: nothing looks for them on disk.
    "aot_inductor.embed_kernel_binary": True,
}

_OPTIONS: dict[str, Any] = {
    "aot_inductor.package": True,
    # Inductor takes a precompiled header that is there for a whole one. A build that was killed as
    # it was written, or whose disk was full, would have every later one fail.
    "aot_inductor.precompile_headers": False,
}

# An export asks what shape oneDNN's packed bytes have, and an older torch cannot say.
_EXPORTS_INT8 = torch.torch_version.TorchVersion("2.15")

_CPU_OPTIONS = {
    # Weights are constants: linear layers then go to oneDNN, and their activation with them.
    "freezing": True,
    # As many threads as its caller has, and not as many as the machine that compiled it.
    "cpp.dynamic_threads": True,
}


_CURE = (
    "no number in a tensor may decide which line runs next, and no tensor may leave torch: choose "
    "by torch.where; or take TorchScript, which keeps such lines: recipe cpu_portable_fp32"
)

_LOADERS_OWN_ENTRY = "model"  # which torch's loader opens when it is told no name
_TYPICAL_TOKENS = 640  # that an image keeps
_TYPICAL_BATCH = 32  # images at once, for which kernels for a GPU are tuned


class _Labels(nn.Module):
    """The entry ``labels``, in a form that a ``.pt2`` can hold.

    Integers are frozen at export, so the size comes as the shape of a tensor that has no content:
    uint8 ``(height, width)`` with zero strides.
    """

    def forward(self, scores: Tensor, canvas: Tensor) -> Tensor:
        return label_map(scores, (canvas.shape[0], canvas.shape[1]))


class _Servable(nn.Module):
    """The model and the label map as one function; a server calls no two."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, merge_maps = self.model(images)
        return label_map(scores, (images.shape[2], images.shape[3])), scores, merge_maps


class _AotInductorProgram(FileProgram[dict[str, Entry]]):
    def __init__(self, path: Path, manifest: Manifest, device: torch.device) -> None:
        opened = OpenedOnce(
            manifest.payload_sha256 if device.type == "cpu" else "",
            f"entries, the first with {len(manifest.outputs)} outputs",
            open_it=lambda: _open_entries(path, manifest, device),
            check=lambda: check_payload(path, manifest.payload_sha256),
        )
        super().__init__(path, manifest, device, opened)
        self._canvas = torch.zeros(1, 1, dtype=torch.uint8, device=device)

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._named(self._run("scores", [images]))

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return self._run("labels", [scores, self._canvas.expand(size)])[0]

    def _run(self, entry: str, inputs: list[Tensor]) -> Sequence[Tensor]:
        with self._open().call() as entries:
            try:
                return entries[entry].run(inputs)
            except RuntimeError as error:
                raise failed_in_run(self._path, error) from error


def _open_entries(path: Path, manifest: Manifest, device: torch.device) -> dict[str, Entry]:
    runners = available_cores() if device.type == "cpu" else 1
    entries = {"scores": EntryKind(len(manifest.outputs), runners), "labels": EntryKind(1, 1)}
    try:
        return open_entries(path, manifest.payload_sha256, entries, device)
    except (OSError, RuntimeError) as error:
        check_unpacked(path, for_code=True)
        raise unloadable(path, manifest, error) from error


@dataclass(frozen=True)
class AotInductor(Backend):
    """Exports the model, compiles both entries with Inductor and packs them into one file.

    Args:
        cuda_capability: Compute capability ``(major, minor)`` of the GPU that it is for; None takes
            the one that is there.
        cpu: The level of x86-64 whose processors all run the file; ``"native"`` keeps to what this
            one has.
    """

    name = "aotinductor"
    suffix = ".pt2"
    multiplies_int8 = True
    checks_hash = True

    cuda_capability: tuple[int, int] | None = None
    cpu: Cpu = "native"

    def check_device(self, device: str) -> None:
        require(
            self.cuda_capability is None or device == "cuda",
            "cuda_capability",
            f"none with device {device!r}",
            self.cuda_capability,
            "leave it out, or set device to 'cuda'",
        )
        require(
            self.cpu == "native" or device == "cpu",
            "cpu",
            f"'native' with device {device!r}",
            self.cpu,
            "leave it out, or set device to 'cpu'",
        )

    def check(self, recipe: Recipe) -> None:
        if recipe.backend.machine not in (None, platform.machine()):
            raise BuildError(
                f"recipe {recipe.name!r} is for {recipe.backend.machine}, and this machine is "
                f"{platform.machine()}: AOTInductor builds for the machine it runs on",
                "build there, or take TorchScript, whose file is not tied to a processor",
            )
        check_temporary_folder(for_code=True)
        if recipe.backend.device == "cuda":
            _check_cuda(recipe.name, self.cuda_capability)
        else:
            _check_level(recipe, self.cpu)
            _check_cpu(recipe)

    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        from torch._inductor.package.package import package_aoti

        device = torch.device(recipe.backend.device)
        target = self._target(recipe)
        batch = _batch_range(recipe)
        (images, canvas), shapes = _examples(model.image_size, batch, device)
        with torch.no_grad(), _compiler_options(target) as options:
            scores, _ = model(images)
            entries: Any = {
                "scores": _compile_entry(recipe, model, (images,), shapes[:1], options),
                "labels": _compile_entry(recipe, _Labels(), (scores, canvas), shapes, options),
            }
            package_aoti(str(path), entries)
        return Compiled(_requires(recipe, device, target), batch)

    def load(self, path: Path, manifest: Manifest, device: torch.device) -> Program:
        return _AotInductorProgram(path, manifest, device)

    def compile_servable(self, model: "Segmenter", recipe: Recipe, path: Path) -> Servable:
        from torch._inductor.package.package import package_aoti

        device = torch.device(recipe.backend.device)
        (images, _), shapes = _examples(model.image_size, _batch_range(recipe), device)
        with torch.no_grad(), _compiler_options(self._target(recipe)) as options:
            entry = _compile_entry(recipe, _Servable(model), (images,), shapes[:1], options)
            entries: Any = {_LOADERS_OWN_ENTRY: entry}
            package_aoti(str(path), entries)
        opened: Servable = torch._inductor.aoti_load_package(str(path))
        return opened

    def _target(self, recipe: Recipe) -> Target | None:
        """Return the CPUs that a file is for; None where it is for a GPU."""
        on_cpu = recipe.backend.device == "cpu"
        return find_target(self.cpu, recipe.backend.dtype) if on_cpu else None


def _batch_range(recipe: Recipe) -> BatchRange:
    """Return how many images one call takes.

    On a CPU it is one: a larger batch gains nothing there, and costs a loop over images that cannot
    be exported.
    """
    return BatchRange(1, recipe.backend.max_batch if recipe.backend.device == "cuda" else 1)


def _examples(
    size: tuple[int, int], batch: BatchRange, device: torch.device
) -> tuple[tuple[Tensor, Tensor], tuple[Any, Any]]:
    """Make inputs to export with: images ``(B, 3, H, W)``, a canvas, and which sizes may vary.

    There is more than one image where a call may take more: a size of 1 would be taken for a
    constant.
    """
    noise = torch.Generator().manual_seed(0)
    shape = (min(_TYPICAL_BATCH, batch.max), 3, *size)
    images = torch.randint(0, 256, shape, generator=noise, dtype=torch.uint8).to(device)
    canvas = torch.zeros(1, 1, dtype=torch.uint8, device=device).expand(size)
    any_batch = None
    if batch.max > 1:
        any_batch = {0: torch.export.Dim("images", min=batch.min, max=batch.max)}
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return (images, canvas), (any_batch, any_size)


@contextmanager
def _compiler_options(target: Target | None) -> Iterator[dict[str, Any]]:
    """Give Inductor's options for every entry of one file, valid while this is open."""
    from mpm_deploy.backends.aotinductor.embedded import compilers_folder, embedded_kernels
    from mpm_deploy.backends.aotinductor.onednn import lower_inner_products, packing_weights
    from mpm_deploy.ops.own_kernels import exported_with_kernels

    if target is None:
        with compilers_folder():
            yield _OPTIONS | _flags([]) | _CUDA_OPTIONS
        return
    lower_inner_products()
    with (
        exported_with_kernels(),
        embedded_kernels(target.flags) as kernels,
        inductor_for(target) as vectors,
        packing_weights(_TYPICAL_TOKENS),
    ):
        flags = _flags(kernels["aot_inductor.custom_op_libs"])
        yield _OPTIONS | flags | _CPU_OPTIONS | kernels | vectors


def _flags(own_libraries: Sequence[str]) -> dict[str, Any]:
    """Give the option that lets a library be unmapped once it is closed, and find its own names.

    Inductor's C++ has variables of inline functions. With GCC such a variable is one in a process,
    and the loader keeps a library that shows one for good. And libtorch, which comes next in the
    command, shows parts of another compiler's standard library: `cpp_runner/cmake/libtorch.cmake`.
    There is no option for flags: they go behind one that becomes a flag of every file.

    Args:
        own_libraries: What is linked for names that the standard library has too.
    """
    from torch._inductor import config
    from torch._inductor.cpp_builder import is_gcc

    if not is_gcc():
        return {}
    contract = config.cpp.enable_floating_point_contract_flag
    libraries = " ".join(f"-l{name}" for name in (*own_libraries, "stdc++"))
    return {"cpp.enable_floating_point_contract_flag": f"{contract} -fno-gnu-unique {libraries}"}


def _compile_entry(
    recipe: Recipe,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    dynamic: Any,
    options: dict[str, Any],
) -> Any:
    try:
        exported = torch.export.export(module, inputs, dynamic_shapes=dynamic)
    except Exception as error:  # whatever a module makes of tensors without numbers
        raise uncompilable(recipe, "torch.export", error, _CURE) from error
    if inputs[0].device.type == "cuda":  # on a CPU it wins nothing
        _hint_sizes(exported, inputs[0].shape[0] * _TYPICAL_TOKENS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Inductor's own, about itself
        files: Any = torch._inductor.aot_compile(exported.module(), inputs, options=options)
    return files


def _hint_sizes(exported: torch.export.ExportedProgram, size: int) -> None:
    """Tell Inductor roughly how large those sizes are that depend on the data.

    It fuses loops where that saves reading memory; of a size that it knows nothing of it assumes
    that nothing is saved, and makes three loops of every LayerNorm of merged tokens.
    """
    from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

    for node in exported.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.SymInt) and value.node.shape_env is not None:
            hints = dict.fromkeys(free_unbacked_symbols(value), size)
            value.node.shape_env.var_to_hint_override.update(hints)


def _requires(recipe: Recipe, device: torch.device, target: Target | None) -> Requires:
    on_cuda = device.type == "cuda"
    return Requires(
        backend="aotinductor",
        device=recipe.backend.device,
        dtype=recipe.backend.dtype,
        versions=_versions(on_cuda),
        machine=platform.machine(),
        cpu_isa=() if target is None else tuple(sorted(target.cpu_isa)),
        cuda_capability=torch.cuda.get_device_capability(device) if on_cuda else None,
        details={},
    )


def _versions(on_cuda: bool) -> dict[str, str]:
    """Return what a file is tied to: torch, and for a GPU the CUDA whose runtime it links."""
    cuda = {"cuda": str(torch.version.cuda)} if on_cuda else {}
    return {"torch": str(torch.__version__), **cuda}


def _check_cpu(recipe: Recipe) -> None:
    if find_compiler() is None:
        raise BuildError(
            f"recipe {recipe.name!r} needs a C++ compiler, and there is no {compiler_name()}",
            COMPILER_CURE,
        )
    dtype = recipe.backend.dtype
    instructions = _DTYPE_ISA[dtype]
    if instructions and instructions.isdisjoint(host_cpu_isa()):
        raise BuildError(
            f"recipe {recipe.name!r} is for a CPU with {dtype} instructions "
            f"({', '.join(sorted(instructions))}), and this one has none: it would be slower "
            "than float32",
            "build another recipe: --recipe cpu_fp32",
        )
    if dtype == "int8" and torch.__version__ < _EXPORTS_INT8:
        raise BuildError(
            f"recipe {recipe.name!r} needs torch {_EXPORTS_INT8} or newer, and this is "
            f"{torch.__version__}",
            "install a newer torch, or build another recipe: --recipe cpu_fp32",
        )


def _check_level(recipe: Recipe, cpu: Cpu) -> None:
    """Refuse a level that this machine does not have: a file is tried where it is built."""
    if cpu == "native":
        return
    asked = f"recipe {recipe.name!r} is for CPUs of level {cpu}"
    for_this_one = "--set backend.cpu=native builds for this one"
    if platform.machine() != "x86_64":
        raise BuildError(f"{asked}, and this machine is {platform.machine()}", for_this_one)
    missing = sorted(X86_LEVELS[cpu] - host_cpu_isa())
    if missing:
        problem = f"{asked}, and this one lacks {', '.join(missing)}: it could not try the file"
        raise BuildError(problem, f"build on a CPU that has them, or {for_this_one}")
    if recipe.backend.dtype == "int8":
        raise BuildError(f"{asked}, and what int8 needs is in none of them", for_this_one)
    if recipe.backend.dtype == "bfloat16" and "avx512f" not in X86_LEVELS[cpu]:
        raise BuildError(
            f"{asked}, and torch multiplies in bfloat16 on CPUs with AVX-512 alone",
            "--set backend.cpu=x86-64-v4, or build float32: --recipe cpu_fp32",
        )


def _check_cuda(recipe: str, wanted: tuple[int, int] | None) -> None:
    if not torch.cuda.is_available():
        raise BuildError(
            f"recipe {recipe!r} is for a CUDA device, and torch sees none on this machine",
            "build on the machine that has it; `mpm-deploy recipes` lists recipes for CPUs",
        )
    here = torch.cuda.get_device_capability()
    if wanted not in (None, here):
        raise BuildError(
            f"recipe {recipe!r} is for CUDA capability {wanted}, and this GPU has {here}",
            f"--set backend.cuda_capability=[{here[0]},{here[1]}] builds for this one",
        )
    headers = _cuda_headers()
    if not (headers / "cuda.h").exists():
        raise BuildError(
            f"recipe {recipe!r} needs CUDA's headers, and there are none in {headers}",
            "install CUDA's toolkit, or name where it is: CUDA_HOME=/usr/local/cuda mpm-deploy ...",
        )


def _cuda_headers() -> Path:
    """Return the folder where Inductor looks for CUDA's headers."""
    from torch.utils.cpp_extension import CUDA_HOME

    return Path(CUDA_HOME or "/usr/local/cuda") / "include"
