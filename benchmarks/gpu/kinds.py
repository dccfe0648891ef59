"""The kernels of a forward by what they do, each kind beside its own floor.

products    layers: cuBLAS and CUTLASS, Inductor's templates
pairs       attention and the nearest neighbor
others      norms, activations, gathers, copies: no operations are counted of them
"""

import re
from dataclasses import dataclass

from benchmarks.gpu.floor import floor_of, recipes, work_of
from benchmarks.gpu.results import Ceilings, PartResult, Profile

_KINDS = {  # the first that is found in a kernel's name
    "pairs": re.compile(r"flash|fmha|attention|_search|nearest_neighbor"),
    "products": re.compile(r"gemm|nvjet|cutlass|xmma|_mm_|_addmm|aten::(add)?mm|_linear|conv"),
}
OTHERS = "others"


@dataclass(frozen=True)
class KindOfWork:
    """The kernels of one kind, in milliseconds of one forward."""

    kind: str
    calls: int
    milliseconds: float
    floor: float


def kind_of(kernel: str) -> str:
    """By its name."""
    name = kernel.lower()
    return next((kind for kind, found in _KINDS.items() if found.search(name)), OTHERS)


def kinds(part: PartResult, profile: Profile, ceilings: Ceilings) -> tuple[KindOfWork, ...]:
    """Of one profile. The floors are at the tokens kept over all images that were timed."""
    recipe, _ = recipes(part)
    measured = next(r for r in part.cpp.results if r.batch_size == profile.batch_size)
    work = work_of(
        recipe,
        part.flops,
        part.parameters,
        measured.tokens_kept.mean,
        profile.batch_size,
    )
    rate = 1e9 * ceilings.matrix_tflops[recipe.backend.dtype]
    floors = {
        "products": work.products / rate,
        "pairs": work.pairs / rate,
        OTHERS: floor_of(work, ceilings, recipe.backend.dtype).bytes,
    }
    return tuple(_kind(kind, floor, profile) for kind, floor in floors.items())


def _kind(kind: str, floor: float, profile: Profile) -> KindOfWork:
    mine = [kernel for kernel in profile.kernels if kind_of(kernel.name) == kind]
    calls, took = sum(k.calls for k in mine), sum(k.milliseconds for k in mine)
    return KindOfWork(kind, calls, took, floor)
