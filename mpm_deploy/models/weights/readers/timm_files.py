"""Read weights by their name in timm: a trained encoder, and no head for segmentation.

They are for speed: how many tokens merge is what a trained encoder makes of an image.
"""

from dataclasses import replace
from typing import Any

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.plain import PlainVit
from mpm_deploy.models.encoders.timm_vit import TimmVit, encoder_from_timm, import_timm
from mpm_deploy.models.weights.checks import as_float32
from mpm_deploy.models.weights.info import WeightsInfo, random_weights
from mpm_deploy.recipe.model_names import model_name

TIMM = "timm:"
_DEFAULT_HEAD = "mask_transformer"


def read_timm(source: str) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read an encoder's weights; timm's cache is used, and filled where there is a network.

    Args:
        source: ``timm:`` and a name that timm knows.

    Returns:
        The weights of the encoder under this package's names, and what they are for. Their origin
        is ``"random"``, since a head has to be drawn for them.

    Raises:
        ModelError: timm does not know the name or cannot get the weights, or they are of a shape
            that is not in the zoo, or not finite.
        MissingPackageError: timm is not installed.
    """
    vit = _pretrained(source.removeprefix(TIMM))
    encoder = encoder_from_timm(vit)
    about = vit.pretrained_cfg
    name = _model_name(source, encoder.config, about.get("architecture", ""))
    info = replace(
        random_weights(name, encoder.config.image_size, None),
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
    )
    weights = as_float32(source, encoder.state_dict())
    return {f"encoder.{name}": tensor for name, tensor in weights.items()}, info


def _pretrained(name: str) -> Any:
    timm = import_timm()
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # timm's hubs raise what their own libraries do
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"timm:{name}: timm cannot make it with its weights: {type(error).__name__}: {reason}",
            "timm.list_models('vit*', pretrained=True) lists the names; without a network the "
            "weights must be in the cache that HF_HOME names",
        ) from error


def _model_name(source: str, config: EncoderConfig, architecture: str) -> str:
    """Return the name of a model with the encoder: Segmenter's if it has it, or else timm's."""
    backbone = PlainVit().find(config) or TimmVit.find(config, architecture)
    if backbone is not None:
        return model_name(backbone, _DEFAULT_HEAD)
    raise ModelError(
        f"{source}: expected the encoder of a model in the zoo or in timm, got width "
        f"{config.width}, {config.depth} blocks, {config.heads} heads, patch {config.patch_size} "
        f"and {config.special_tokens} special tokens",
        f"timm calls it {architecture!r}, and what timm makes by that name is of another shape",
    )
