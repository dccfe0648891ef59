"""Read weights by their name in timm: a trained encoder, and no head for segmentation.

They are for speed: how many tokens merge is what a trained encoder makes of an image.
"""

from typing import Any

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.timm_vit import TimmVit, check_supported
from mpm_deploy.models.encoders.timm_weights import config_of, weights_of
from mpm_deploy.models.timm_package import import_timm
from mpm_deploy.models.weights.checks import as_float32
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.origin import encoder_info
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.refusal import line_of

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
        ModelError: timm does not know the name or cannot get the weights, or they are of another
            shape than what it makes by that name, or not finite.
        MissingPackageError: timm is not installed.
    """
    vit = _pretrained(source.removeprefix(TIMM))
    check_supported(vit)
    shape, about = config_of(vit), vit.pretrained_cfg
    model = _model_name(source, shape, about.get("architecture", ""))
    info = encoder_info(model, shape.image_size, tuple(about["mean"]), tuple(about["std"]))
    weights = as_float32(source, weights_of(vit))
    return {f"encoder.{name}": tensor for name, tensor in weights.items()}, info


def _pretrained(name: str) -> Any:
    timm = import_timm()
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # timm's hubs raise what their own libraries do
        said = f"{type(error).__name__}: {line_of(error)}"
        raise ModelError(
            f"timm:{name}: timm cannot make it with its weights: {said}",
            "timm.list_models('vit*', pretrained=True) lists the names; without a network the "
            "weights must be in the cache that HF_HOME names",
        ) from error


def _model_name(source: str, config: EncoderConfig, architecture: str) -> str:
    """Return the name of a model with the encoder, by timm's name for it.

    Segmenter's ViTs have the same tensors, but their norms have another epsilon, and their
    positions are resized another way.
    """
    backbone = TimmVit.find(config, architecture)
    if backbone is not None:
        return model_name(backbone, _DEFAULT_HEAD)
    raise ModelError(
        f"{source}: expected an encoder as timm makes it by its name, got width "
        f"{config.width}, {config.depth} blocks, {config.heads} heads, patch {config.patch_size} "
        f"and {config.special_tokens} special tokens",
        f"timm calls it {architecture!r}, and what timm makes by that name is of another shape",
    )
