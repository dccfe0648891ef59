"""Define EoMT's head: queries that pass the encoder's last blocks, and the masks they make.

The paper is Kerssies et al., "Your ViT is Secretly an Image Segmentation Model", CVPR 2025.

queries ─▶ encoder's ─▶ class of each query    (Q, K) ───▶ softmax ─┐
           last      ─▶ mask embedding  (Q, C) ─┐                   ├─▶ scores (K, 4 h, 4 w)
patches ─▶ blocks    ─▶ finer grid (4 h, 4 w, C) ┴▶ sigmoid ────────┘
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.heads.queries import QueryDecoder
from mpm_deploy.models.packing import first_rows
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Packed
from mpm_deploy.ops.blending import blend
from mpm_deploy.support.family import require, require_counts

MOST_UPSCALING = 5
_NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class EomtHead(Head):
    """EoMT's mask head for semantic segmentation.

    Args:
        queries: Number of learned queries; the authors take 100 for semantic segmentation.
        query_blocks: How many of the encoder's last blocks they pass; the authors take four.
        upscaling: How many times the grid of patches is made twice as fine, five at most: patches
            of 32 pixels are then as fine as the image.

    Raises:
        OptionError: A count below one, or a grid that is finer than an image.
    """

    queries: int = 100
    query_blocks: int = 4
    upscaling: int = 2

    def __post_init__(self) -> None:
        require_counts(self)
        finest = self.upscaling <= MOST_UPSCALING
        require(finest, "upscaling", f"at most {MOST_UPSCALING}", self.upscaling)

    @property
    def readout(self) -> Readout:
        return Readout(queries=self.queries, query_blocks=self.query_blocks)

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        return EomtDecoder(width, classes, grid, self.queries, self.upscaling)


class EomtDecoder(QueryDecoder):
    """A decoder that scores classes by the masks of queries.

    Scores are from 0 up: the sum over queries of the share of a class among its classes times the
    probability that a place is in its mask. No mask limits what queries attend to, as in the
    authors' inference. They interpolate each query's mask before they weigh it, sixteen times the
    work for these places; of the demo's labels on the scenes 99.6 % come out the same.

    Args:
        width: Width C of a token.
        classes: Number of classes K; "no object" is one more.
        grid: Patches of an image, ``(down, across)``.
        queries: Number of queries Q, the first special tokens of each image.
        upscaling: How many times the grid is made twice as fine.
    """

    def __init__(
        self, width: int, classes: int, grid: tuple[int, int], queries: int, upscaling: int
    ) -> None:
        super().__init__()
        self.grid = grid
        self.queries = queries
        self.upsampling = 2**upscaling
        self.class_head = nn.Linear(width, classes + 1)
        self.mask_head = nn.Sequential(
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, width),
        )
        self.upscale = nn.ModuleList(TwiceAsFine(width) for _ in range(upscaling))

    def predict(self, taps: list[Packed]) -> tuple[Tensor, Tensor]:
        tokens, offsets, _, rows, _ = taps[-1]
        queries = tokens[first_rows(offsets, self.queries)]  # (B, Q, C)
        places = self._finer(tokens, rows).flatten(1, 2)  # (B, S, C)
        return self.class_head(queries), places @ self.mask_head(queries).transpose(1, 2)

    def _finer(self, tokens: Tensor, rows: Tensor) -> Tensor:
        """Make the grid finer: tokens ``(T, C)`` of patches ``rows (B, N)`` -> ``(B, h, w, C)``."""
        down, across = self.grid
        places = tokens
        for index, step in enumerate(self.upscale):
            places = step.split(places)  # type: ignore[operator]
            if index == 0:  # so far each token was by itself: the merged ones were split once
                places = places[rows].unflatten(1, (down, across))
            places = step.blend(places)  # type: ignore[operator]
        return places

    def flops(self, patches: int) -> Polynomial:
        width, classes = self.class_head.in_features, self.class_head.out_features
        constant = 2.0 * self.queries * width * (classes + 3 * width)
        places = patches
        split = 2.0 * width * 4 * width
        for index in range(len(self.upscale)):
            constant += split * places if index else 0.0
            places *= 4
            constant += 2.0 * 9 * width * places
        constant += 2.0 * places * self.queries * (width + classes - 1)
        # The queries' rows are split too: to leave them out would cost a copy of all others.
        return per_row(split, others=self.queries) + Polynomial(constant)


class TwiceAsFine(nn.Module):
    """Makes a grid twice as fine along each axis.

    The two halves are one step of the authors' upscaling: a transposed convolution whose windows do
    not overlap, and a GELU, see one place alone; a depthwise convolution blends neighbors.

    Args:
        width: Width C of a place.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine = nn.Linear(width, 4 * width)
        self.blending = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.LayerNorm(width, eps=_NORM_EPSILON)

    def split(self, places: Tensor) -> Tensor:
        """Make four of each place: ``(..., C)`` -> ``(..., 4 C)``, upper left to lower right."""
        return functional.gelu(self.fine(places))

    def blend(self, split: Tensor) -> Tensor:
        """Lay the four out and blend neighbors: ``(B, h, w, 4 C)`` -> ``(B, 2 h, 2 w, C)``."""
        return self.norm(blend(split, self.blending.weight))
