"""Make decoders of modules that others wrote, for the grid of patches or for tokens.

GridHead     (B, C, h, w) ─▶ module ─▶ (B, K, s h, s w)    each patch has its token's features
TokenHead    (T, C)       ─▶ module ─▶ (T, K)              each patch gets its token's scores
"""

import copy
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Packed
from mpm_deploy.support.numbers import integers
from mpm_deploy.support.refusal import line_of, refusal_in
from mpm_deploy.support.tensors import shown

_ROWS = 4  # on which a head on tokens is tried
_SAME = 1e-4  # between a row by itself and among others, as products of other sizes round


@dataclass(frozen=True)
class OwnHead(Head, ABC):
    """A head that is a module of the user's own; the module is copied and stays as it is.

    Args:
        module: The module.

    Attributes:
        takes: What it takes, as a cure says it.

    Raises:
        ModelError: It is no module.
    """

    takes: ClassVar[str]

    module: nn.Module

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            raise ModelError(
                f"head: expected a torch.nn.Module, got {shown(self.module)}", self.takes
            )

    @property
    def name(self) -> str:
        """The name of the module's class."""
        return type(self.module).__name__

    def _copy(self) -> nn.Module:
        return copy.deepcopy(self.module).eval().float().cpu()

    def _refused(self, expected: str, got: str) -> ModelError:
        return ModelError(f"head {self.name}: expected {expected}, got {got}", self.takes)

    def _tried(self, module: nn.Module, given: Any, expected: str) -> tuple[Tensor, float]:
        """Run the module once, and return its scores and its FLOPs."""
        counter = FlopCounterMode(display=False)
        try:
            # torch 2.11 does not count a CPU's flash attention.
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
                scores = module(given)
        except Exception as error:  # whatever a module makes of features that do not fit it
            said = f"{type(error).__name__}: {line_of(error)}"
            refused = self._refused(f"{expected} of {_shapes(given)}", said)
            raise refusal_in(error) or refused from error
        if not isinstance(scores, Tensor):
            raise self._refused(expected, shown(scores))
        return scores, float(counter.get_total_flops())


@dataclass(frozen=True)
class GridHead(OwnHead):
    """A head on the grid of patches, such as convolutions.

    Every patch has the features of the token that it went to (equation 4 of the paper), so the
    module sees as many as without merging.

    Args:
        module: Maps features ``(B, C, h, w)``, past the encoder's last norm, to scores
            ``(B, K, s h, s w)``, where s is a whole number.
        taps: The blocks after which features are read, rising; -1 is the last. Of more than one
            the module gets a list, in their order.
    """

    takes = (
        "GridHead is for a module on features (B, C, h, w), or a list of them with several taps; "
        "one on tokens (T, C) goes into TokenHead"
    )

    taps: Sequence[int] = (-1,)

    @property
    def readout(self) -> Readout:
        return Readout(taps=tuple(integers("taps", self.taps)))

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        """Make a decoder of a copy of the module.

        Raises:
            ModelError: The module does not run on such features, or gives other scores.
        """
        down, across = grid
        features = [torch.zeros(1, width, down, across) for _ in self.taps]
        expected = f"scores (1, {classes}, {down} s, {across} s)"
        module = self._copy()
        given = features[0] if len(features) == 1 else features
        scores, flops = self._tried(module, given, expected)
        upsampling = max(scores.shape[-1] // across, 1) if scores.dim() else 1
        if scores.shape != (1, classes, down * upsampling, across * upsampling):
            raise self._refused(f"{expected} of {_shapes(given)}", shown(scores))
        return GridDecoder(module, grid, len(features), upsampling, flops)


@dataclass(frozen=True)
class TokenHead(OwnHead):
    """A head that scores each token by itself, such as linear layers.

    It runs on merged tokens, of which there are fewer.

    Args:
        module: Maps tokens ``(T, C)``, past the encoder's last norm, to scores ``(T, K)``.
    """

    takes = (
        "TokenHead is for a module that scores tokens (T, C) each by itself; one that looks at "
        "neighbors goes into GridHead"
    )

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        """Make a decoder of a copy of the module.

        Raises:
            ModelError: The module does not run on such tokens, or gives other scores; or a token's
                scores depend on others.
        """
        tokens = torch.randn(_ROWS, width, generator=torch.Generator().manual_seed(0))
        expected = f"scores ({_ROWS}, {classes})"
        module = self._copy()
        scores, flops = self._tried(module, tokens, expected)
        if scores.shape != (_ROWS, classes):
            raise self._refused(f"{expected} of {_shapes(tokens)}", shown(scores))
        alone, _ = self._tried(module, tokens[:1], f"scores (1, {classes})")
        if not torch.allclose(scores[:1], alone, rtol=_SAME, atol=_SAME):
            raise self._refused(
                "scores of each token by itself", "others where other tokens are beside it"
            )
        return TokenDecoder(module, flops / _ROWS)


class GridDecoder(Decoder):
    """A decoder that runs a module on the grid of patches.

    Args:
        module: The module of a `GridHead`.
        grid: Patches of an image, ``(down, across)``.
        taps: How many taps it reads.
        upsampling: Scores per patch along each axis.
        flops: Of the module for one image.
    """

    reads_one: Final[bool]  # known to TorchScript, which must not see the other call

    def __init__(
        self, module: nn.Module, grid: tuple[int, int], taps: int, upsampling: int, flops: float
    ) -> None:
        super().__init__()
        self.module = module
        self.grid = grid
        self.reads_one = taps == 1
        self.upsampling = upsampling
        self.counted = flops

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        features = [self._on_grid(tap) for tap in taps]
        return self._scores(features).flatten(2).transpose(1, 2)

    def _scores(self, features: list[Tensor]) -> Tensor:
        if self.reads_one:
            return self.module(features[0])
        return self.module(features)

    def _on_grid(self, tap: Packed) -> Tensor:
        """Give every patch its token's features: ``(B, C, h, w)``."""
        return tap.tokens[tap.rows].transpose(1, 2).unflatten(2, self.grid)

    def flops(self, patches: int) -> Polynomial:
        return Polynomial(constant=self.counted)


class TokenDecoder(Decoder):
    """A decoder that runs a module on each token.

    Args:
        module: The module of a `TokenHead`.
        flops: Of the module for one token.
    """

    def __init__(self, module: nn.Module, flops: float) -> None:
        super().__init__()
        self.module = module
        self.counted = flops

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        return self.module(taps[-1].tokens)[taps[-1].rows]

    def flops(self, patches: int) -> Polynomial:
        return per_row(self.counted, others=0)


def _shapes(given: Tensor | list[Tensor]) -> str:
    if isinstance(given, Tensor):
        return f"{tuple(given.shape)}"
    return f"[{', '.join(map(_shapes, given))}]"
