"""Define Mask2Former's head for semantic segmentation, on the pyramid of an encoder."""

from dataclasses import dataclass

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.heads.mask2former.masked_decoder import MaskedDecoder
from mpm_deploy.models.heads.mask2former.pixel_decoder import GROUPS, PixelDecoder
from mpm_deploy.models.heads.queries import QueryDecoder
from mpm_deploy.models.polynomial import Polynomial
from mpm_deploy.models.reductions import Packed
from mpm_deploy.support.family import require, require_counts

_MAPS = 4  # of the pyramid


@dataclass(frozen=True)
class Mask2FormerHead(Head):
    """Mask2Former's head for semantic segmentation, in EVA-01's sizes unless they are said.

    Args:
        queries: Number of learned queries.
        decoder_width: Width of queries, of cells and of mask features.
        decoder_layers: Layers in which queries read cells within their masks.
        decoder_heads: Attention heads of such a layer.
        decoder_mlp_width: Hidden width of its MLP.
        pixel_decoder_layers: Layers in which cells of the pyramid read one another.
        pixel_decoder_heads: Heads of the deformable attention of such a layer.
        pixel_decoder_mlp_width: Hidden width of its MLP.

    Raises:
        OptionError: A count below one, or one that does not divide what it parts.
    """

    queries: int = 200
    decoder_width: int = 1024
    decoder_layers: int = 8
    decoder_heads: int = 32
    decoder_mlp_width: int = 4096
    pixel_decoder_layers: int = 6
    pixel_decoder_heads: int = 32
    pixel_decoder_mlp_width: int = 4096

    def __post_init__(self) -> None:
        require_counts(self)
        width = self.decoder_width
        expected = f"a multiple of {GROUPS}, the groups of its norms"
        require(width % GROUPS == 0, "decoder_width", expected, width)
        for option in ("decoder_heads", "pixel_decoder_heads"):
            heads = getattr(self, option)
            require(width % heads == 0, option, f"a divisor of decoder_width, {width}", heads)

    @property
    def readout(self) -> Readout:
        return Readout(pyramid=True)

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        self._check_normalizes(grid)
        pixel_decoder = PixelDecoder(
            (width,) * _MAPS,
            self.decoder_width,
            self.decoder_width,
            layers=self.pixel_decoder_layers,
            heads=self.pixel_decoder_heads,
            mlp_width=self.pixel_decoder_mlp_width,
        )
        masked_decoder = MaskedDecoder(
            self.decoder_width,
            self.decoder_width,
            classes,
            queries=self.queries,
            layers=self.decoder_layers,
            heads=self.decoder_heads,
            mlp_width=self.decoder_mlp_width,
        )
        return Mask2FormerDecoder(pixel_decoder, masked_decoder, grid)

    def _check_normalizes(self, grid: tuple[int, int]) -> None:
        """Refuse images of ``grid`` patches, of whose coarsest map a norm would see one number."""
        down, across = grid
        coarsest = (down // 2) * (across // 2)
        if coarsest * self.decoder_width // GROUPS < 2:
            raise ModelError(
                f"image_size: expected more than one cell of the coarsest map, which has one for "
                f"32 x 32 pixels, where decoder_width is {GROUPS}, got {16 * down} x {16 * across}",
                f"take a larger model.image_size, or decoder_width {2 * GROUPS}: a norm sees "
                f"{GROUPS} groups of channels, and needs two numbers of each",
            )


class Mask2FormerDecoder(QueryDecoder):
    """A decoder that scores classes by the masks of queries, on the finest map's grid.

    Scores are those of `semantic_scores`, as ViT-Adapter and EVA-01 have them. Mask2Former's own
    program interpolates each query's mask before it weighs it, sixteen times the work for these
    places.

    Args:
        pixel_decoder: Makes levels and mask features of the pyramid.
        masked_decoder: Makes classes and masks of both.
        grid: Patches of an image, of 16 pixels, ``(down, across)``.
    """

    upsampling = 4

    def __init__(
        self, pixel_decoder: PixelDecoder, masked_decoder: MaskedDecoder, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.pixel_decoder = pixel_decoder
        self.masked_decoder = masked_decoder
        down, across = grid
        self.grids = [
            (4 * down, 4 * across),
            (2 * down, 2 * across),
            (down, across),
            (down // 2, across // 2),
        ]

    def predict(self, taps: list[Packed]) -> tuple[Tensor, Tensor]:
        maps: list[Tensor] = []
        for tap, grid in zip(taps, self.grids):  # noqa: B905  TorchScript knows no strict
            cells = tap.tokens.unflatten(0, [tap.rows.shape[0], grid[0], grid[1]])  # (B, h, w, C)
            maps.append(cells.permute(0, 3, 1, 2))
        levels, mask_features = self.pixel_decoder(maps)
        return self.masked_decoder(levels, mask_features)

    def flops(self, patches: int) -> Polynomial:
        return sum(self.flop_parts(patches).values(), Polynomial())

    def flop_parts(self, patches: int) -> dict[str, Polynomial]:
        places = [down * across for down, across in self.grids]
        masked = self.masked_decoder
        queries, classes = masked.query_feat.shape[0], masked.cls_embed.out_features - 1
        scoring = 2.0 * places[0] * queries * classes
        return {
            "pixel decoder": Polynomial(self.pixel_decoder.flops(places)),
            "masked decoder": Polynomial(masked.flops(places[:0:-1], places[0]) + scoring),
        }
