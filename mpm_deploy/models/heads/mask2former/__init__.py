"""Make Mask2Former's head of its parts: a pixel decoder, and queries that mask its cells.

The paper is Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation",
CVPR 2022.

    maps of an     ─▶ PixelDecoder ─▶ three levels ───▶ MaskedDecoder ─▶ class of each query ─┐
    encoder, fine                  ─▶ mask features ─▶                ─▶ mask of each query ──┤
    to coarse                                                             semantic_scores ◀───┘
"""

from mpm_deploy.models.heads.mask2former.masked_decoder import MaskedDecoder
from mpm_deploy.models.heads.mask2former.pixel_decoder import PixelDecoder
from mpm_deploy.models.heads.queries import semantic_scores

__all__ = ["MaskedDecoder", "PixelDecoder", "semantic_scores"]
