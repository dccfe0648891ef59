"""Make segmentation models that compute on packed tokens."""

from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import MODELS, create

__all__ = ["MODELS", "Segmenter", "create"]
