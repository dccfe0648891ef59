"""Count the FLOPs of one image as a function of its tokens kept (a multiply-add counts 2).

Matrix products and attention are counted, as is usual; norms, activations and sums are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from torch import nn

from mpm_deploy.artifact import Flops, StageFlops
from mpm_deploy.models.encoders.vit import Block
from mpm_deploy.models.heads import LinearDecoder, MaskTransformer
from mpm_deploy.models.segmenter import Segmenter


@dataclass(frozen=True)
class _Polynomial:
    """The polynomial ``constant + linear t + quadratic t²``, where t is the image tokens kept."""

    constant: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0

    def __add__(self, other: "_Polynomial") -> "_Polynomial":
        return _Polynomial(
            self.constant + other.constant,
            self.linear + other.linear,
            self.quadratic + other.quadratic,
        )

    def at(self, tokens: int) -> "_Polynomial":
        """Return the value for ``tokens`` image tokens, as a polynomial that is constant."""
        return _Polynomial(self.constant + (self.linear + self.quadratic * tokens) * tokens)


def count_flops(model: Segmenter) -> Flops:
    """Count the FLOPs of one image through ``model``, by its tokens kept after each merge."""
    encoder = model.encoder
    config = encoder.config
    patches = config.grid[0] * config.grid[1]
    # stages[m]: what runs on the tokens kept after merge m
    stages = [_Polynomial(constant=2.0 * patches * config.width * 3 * config.patch_size**2)]
    for block in _blocks(encoder.blocks):
        for place, half in (("before_block", _attention), ("after_attention", _mlp)):
            if block.reduction.place == place:
                stages[-1] += _similarities(block)
                stages.append(_Polynomial())
            stages[-1] += half(block, others=config.special_tokens)
    decoder = _decoder(model.decoder, patches)
    stages[-1] += decoder if model.decodes_merged else decoder.at(patches)
    return Flops(
        constant=sum(stage.constant for stage in stages),
        stages=tuple(StageFlops(stage.linear, stage.quadratic) for stage in stages),
    )


def _rows(each: float, others: int) -> _Polynomial:
    """Count ``each`` FLOPs for every row, of which ``others`` are no image tokens."""
    return _Polynomial(each * others, each)


def _block(block: Block, others: int) -> _Polynomial:
    return _attention(block, others) + _mlp(block, others)


def _attention(block: Block, others: int) -> _Polynomial:
    # q kᵀ and (weights) v: 4 C n² with n = others + t
    pairs = 4.0 * block.proj.in_features
    products = _Polynomial(pairs * others**2, 2 * pairs * others, pairs)
    return _layers(others, block.qkv, block.proj) + products


def _mlp(block: Block, others: int) -> _Polynomial:
    return _layers(others, block.fc1, block.fc2)


def _layers(others: int, *layers: nn.Linear) -> _Polynomial:
    return _rows(2.0 * sum(layer.in_features * layer.out_features for layer in layers), others)


def _similarities(block: Block) -> _Polynomial:
    width = block.proj.in_features
    return _Polynomial(quadratic=block.reduction.similarity_flops(width, width // block.heads))


def _decoder(decoder: nn.Module, patches: int) -> _Polynomial:
    if isinstance(decoder, LinearDecoder):
        return _rows(2.0 * decoder.head.in_features * decoder.head.out_features, others=0)
    mask = cast(MaskTransformer, decoder)
    classes, width = mask.cls_emb.shape
    flops = _rows(2.0 * mask.proj_dec.in_features * width, others=0)
    for block in _blocks(mask.blocks):
        flops += _block(block, others=classes)
    flops += _rows(2.0 * width * width, others=classes)  # proj_patch and proj_classes
    return flops + _Polynomial(constant=2.0 * patches * width * classes)


def _blocks(blocks: nn.ModuleList) -> Iterator[Block]:
    return (cast(Block, block) for block in blocks)
