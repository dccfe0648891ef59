"""Make segmentation heads on packed tokens: Segmenter's, EoMT's, linear ones, and your own.

A head reads merged tokens as they are (`reconstruct = "after_decoder"`), with the number of patches
that each stands for, or one token a patch (`"before_decoder"`, the paper's way). Both give the same
scores: attending over c equal keys is attending once with log c added to the score, and equal
queries get equal answers.
"""

from mpm_deploy.models.heads.base import Decoder, Head
from mpm_deploy.models.heads.linear import LinearDecoder
from mpm_deploy.models.heads.mask_transformer import MaskTransformer

__all__ = ["Decoder", "Head", "LinearDecoder", "MaskTransformer"]
