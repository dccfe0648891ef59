"""Count the FLOPs of one image as a function of its tokens kept (a multiply-add counts 2).

Matrix products and attention are counted, as is usual; norms, activations and sums are not. Each
part of a model counts its own; here they are put together.
"""

from collections.abc import Sequence

from mpm_deploy.artifact import Flops, StageFlops
from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.segmenter import Segmenter


def count_flops(model: Segmenter) -> Flops:
    """Count the FLOPs of one image through ``model``, by its tokens kept after each merge."""
    down, across = model.grid
    stages = model.encoder.flop_stages()
    decoder = model.decoder.flops(down * across)
    stages[-1] += _decoded(model, decoder)
    return _flops(stages)


def count_parts(model: Segmenter) -> dict[str, Flops]:
    """Count as `count_flops` does, part by part; at any tokens kept, their sum is its."""
    down, across = model.grid
    encoder = model.encoder.flop_parts()
    before = [Polynomial()] * len(model.encoder.schedule)  # a decoder runs after the last merge
    decoder = {
        name: [*before, _decoded(model, part)]
        for name, part in model.decoder.flop_parts(down * across).items()
    }
    return {name: _flops(stages) for name, stages in {**encoder, **decoder}.items()}


def _decoded(model: Segmenter, decoder: Polynomial) -> Polynomial:
    """Return the FLOPs of a decoder by the tokens that it is given: merged ones, or all patches."""
    down, across = model.grid
    return decoder if model.decodes_merged else decoder.at(down * across)


def _flops(stages: Sequence[Polynomial]) -> Flops:
    return Flops(
        constant=sum(stage.constant for stage in stages),
        stages=tuple(StageFlops(stage.linear, stage.quadratic) for stage in stages),
    )
