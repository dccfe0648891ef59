"""Groups the kernels of a forward by what they do, each kind beside its own floor.

products    layers: cuBLAS and CUTLASS, Inductor's templates
pairs       attention and the nearest neighbor
others      norms, activations, gathers, copies: no operations are counted of them
"""

import re
from dataclasses import dataclass

from benchmarks.gpu.floor import floor_of, recipes, work_of
from benchmarks.gpu.results import Ceilings, PartResult, Profile
from mpm_deploy.measure.speed.report import Measurement

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
    """Tell a kernel's kind by its name."""
    name = kernel.lower()
    return next((kind for kind, found in _KINDS.items() if found.search(name)), OTHERS)


def kinds(part: PartResult, profile: Profile, ceilings: Ceilings) -> tuple[KindOfWork, ...]:
    """Group the kernels of one profile. The floors are at the tokens kept over all
    images that were timed.
    """
    merged, full_token = recipes(part)
    recipe = merged if profile.merged else full_token
    measured = _measured(part, profile)
    work = work_of(
        recipe,
        part.flops if profile.merged else part.full_token_flops,
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


def _measured(part: PartResult, profile: Profile) -> Measurement:
    """Return the figures of the profiled model at the profile's batch size."""
    if profile.merged:
        return next(r for r in part.speed.results if r.batch_size == profile.batch_size)
    comparison = part.speed.comparison
    assert comparison is not None
    return next(r.against for r in comparison.results if r.batch_size == profile.batch_size)


def _kind(kind: str, floor: float, profile: Profile) -> KindOfWork:
    mine = [kernel for kernel in profile.kernels if kind_of(kernel.name) == kind]
    calls, took = sum(k.calls for k in mine), sum(k.milliseconds for k in mine)
    return KindOfWork(kind, calls, took, floor)
