"""Count the FLOPs of one image as a function of its tokens kept (a multiply-add counts 2).

Matrix products and attention are counted, as is usual; norms, activations and sums are not. Each
part of a model counts its own; here they are put together.
"""

from mpm_deploy.artifact import Flops, StageFlops
from mpm_deploy.models.segmenter import Segmenter


def count_flops(model: Segmenter) -> Flops:
    """Count the FLOPs of one image through ``model``, by its tokens kept after each merge."""
    down, across = model.grid
    stages = model.encoder.flop_stages()
    decoder = model.decoder.flops(down * across)
    stages[-1] += decoder if model.decodes_merged else decoder.at(down * across)
    return Flops(
        constant=sum(stage.constant for stage in stages),
        stages=tuple(StageFlops(stage.linear, stage.quadratic) for stage in stages),
    )
