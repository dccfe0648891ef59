"""Take the policy that CTS trains, with each batch norm folded into the convolution before it."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mpm_deploy.models.reductions.cts_policy import convolutions_with_norms, policy_network
from mpm_deploy.models.weights.readers.translation import Take

_OURS = "encoder.blocks.0.reduction.policy"


def policy_weights(take: Take, theirs: str) -> dict[str, Tensor]:
    """Take the weights of a policy, named as timm has them.

    Args:
        take: As a translation is given it.
        theirs: What is in front of their names.

    Raises:
        MissingPackageError: timm is not installed.
    """
    with torch.device("meta"):
        network = policy_network()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}

    def taken(part: str, *names: str) -> list[Tensor]:
        full = (f"{part}.{name}" for name in names)
        return [take(f"{theirs}.{name}", *shapes[name]).double() for name in full]

    weights: dict[str, Tensor] = {}
    for convolution, norm in convolutions_with_norms(network):
        (kernel,) = taken(convolution, "weight")
        mean, variance, gamma, beta = taken(norm, "running_mean", "running_var", "weight", "bias")
        epsilon = cast(nn.BatchNorm2d, network.get_submodule(norm)).eps
        folded = fuse_conv_bn_weights(kernel, None, mean, variance, epsilon, gamma, beta)
        weights |= _layer(convolution, *folded)
    return weights | _layer("head", *taken("head", "weight", "bias"))


def _layer(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Return a layer's weights in float32 under their names here."""
    place = f"{_OURS}.{name}"
    return {f"{place}.weight": weight.detach().float(), f"{place}.bias": bias.detach().float()}
