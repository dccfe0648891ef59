"""Make segmentation models that compute on packed tokens."""

from mpm_deploy.models.heads.own import GridHead, TokenHead
from mpm_deploy.models.own import OwnModel
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import create
from mpm_deploy.recipe.model_names import MODELS

__all__ = ["MODELS", "GridHead", "OwnModel", "Segmenter", "TokenHead", "create"]
