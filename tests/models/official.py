"""Made-up checkpoints of exactly the structure that Segmenter's training writes, and CTS's.

folder/checkpoint.pth   a pickle of {model, optimizer, n_cls, lr_scheduler, epoch}
folder/variant.yml      yaml.dump of its settings, the image size as a Python tuple
"""

from pathlib import Path
from typing import Any

import timm
import torch
import yaml
from torch import Tensor

# width, blocks, heads, patch, normalization; what the real configurations say
BACKBONES = {
    "vit_tiny_patch16_384": (192, 12, 3, 16, "vit"),
    "vit_small_patch16_384": (384, 12, 6, 16, "vit"),
    "vit_base_patch16_384": (768, 12, 12, 16, "vit"),
    "vit_base_patch8_384": (768, 12, 12, 8, "vit"),
    "vit_large_patch16_384": (1024, 24, 16, 16, "vit"),
    "deit_tiny_distilled_patch16_224": (192, 12, 3, 16, "deit"),
    "deit_base_distilled_patch16_384": (768, 12, 12, 16, "deit"),
}


def write_checkpoint(
    folder: Path,
    backbone: str,
    *,
    head: str = "mask_transformer",
    size: int = 64,
    classes: int = 7,
    shared: int | None = None,
) -> Path:
    """A checkpoint with random weights and its ``variant.yml``; gives the checkpoint's path.

    With a number of superpatches that are shared it is one of CTS.
    """
    net = net_kwargs(backbone, head, size, classes)
    model = random_model(net, seed=len(backbone) + classes)
    if shared is not None:
        net |= policy_kwargs(net, shared)
        model |= random_policy()
    path = folder / "checkpoint.pth"
    torch.save(checkpoint_of(model, classes), path)
    write_variant(folder, net)
    return path


def net_kwargs(backbone: str, head: str, size: int, classes: int) -> dict[str, Any]:
    """What ``variant.yml`` says of the network."""
    width, depth, heads, patch, normalization = BACKBONES[backbone]
    decoder = {"mask_transformer": {"drop_path_rate": 0.0, "dropout": 0.1, "n_layers": 2}}
    net = {
        "backbone": backbone,
        "image_size": (size, size),
        "patch_size": patch,
        "d_model": width,
        "n_heads": heads,
        "n_layers": depth,
        "normalization": normalization,
        "dropout": 0.0,
        "drop_path_rate": 0.1,
        "n_cls": classes,
        "decoder": {"name": head, "n_cls": classes, **decoder.get(head, {})},
    }
    if "large" not in backbone:  # its configuration leaves it out
        net["distilled"] = "distilled" in backbone
    return net


def policy_kwargs(net: dict[str, Any], shared: int) -> dict[str, Any]:
    """What CTS adds to the network in ``variant.yml``."""
    patches = (net["image_size"][0] // net["patch_size"]) ** 2
    return {
        "policy_method": "policy_net",
        "policy_schedule": (patches - 4 * shared, shared),
        "policynet_ckpt": "policynet/logdir/policynet_efficientnet_ade20k/model.pth",
    }


def random_policy() -> dict[str, Tensor]:
    """The policy in CTS's state dict: timm's network, in which no batch norm is without effect."""
    generator = torch.Generator().manual_seed(7)
    backbone = timm.create_model("efficientnet_lite0", features_only=True)
    tensors = {f"backbone.{name}": tensor for name, tensor in backbone.state_dict().items()}
    tensors |= {"head.weight": torch.empty(2, 320, 1, 1), "head.bias": torch.empty(2)}
    for name, tensor in tensors.items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(1000)
        elif tensor.dim() == 4:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=generator)
        else:
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.2, generator=generator)
    return {f"policy_net.{name}": tensor for name, tensor in tensors.items()}


def write_variant(folder: Path, net: dict[str, Any]) -> Path:
    """All of a ``variant.yml`` around the network."""
    size, normalization = 64, net["normalization"]  # nobody looks at these
    variant = {
        "algorithm_kwargs": {"batch_size": 8, "eval_freq": 2, "num_epochs": 64, "start_epoch": 0},
        "amp": False,
        "dataset_kwargs": {
            "batch_size": 8,
            "crop_size": size,
            "dataset": "ade20k",
            "image_size": size,
            "normalization": normalization,
            "num_workers": 10,
            "split": "train",
        },
        "inference_kwargs": {"im_size": size, "window_size": size, "window_stride": size},
        "log_dir": "seg",
        "net_kwargs": net,
        "optimizer_kwargs": {"clip_grad": None, "lr": 0.001, "opt": "sgd", "sched": "polynomial"},
        "resume": True,
        "version": "normal",
        "world_batch_size": 8,
    }
    path = folder / "variant.yml"
    path.write_text(yaml.dump(variant))
    return path


def checkpoint_of(model: dict[str, Tensor], classes: int) -> dict[str, Any]:
    """The dict that the training saves."""
    return {
        "model": model,
        "optimizer": {
            "state": {0: {"momentum_buffer": torch.zeros(1, 1, 4)}},
            "param_groups": [{"lr": 1e-3, "momentum": 0.9, "nesterov": False, "params": [0]}],
        },
        "n_cls": classes,
        "lr_scheduler": {"base_lrs": [1e-3], "last_epoch": 7, "_step_count": 8},
        "epoch": 63,
    }


def random_model(net: dict[str, Any], seed: int) -> dict[str, Tensor]:
    """A state dict in which every tensor matters: no bias is zero and no norm is one."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _drawn(name, shape, generator) for name, shape in _shapes(net).items()}


def _drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    values = torch.empty(shape).normal_(std=0.04, generator=generator)
    is_norm = "norm" in name and name.endswith("weight")
    return values + 1 if is_norm else values


def _shapes(net: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, patch, classes = net["d_model"], net["patch_size"], net["n_cls"]
    distilled = net.get("distilled", False)
    patches = (net["image_size"][0] // patch) * (net["image_size"][1] // patch)
    shapes: dict[str, tuple[int, ...]] = {"encoder.cls_token": (1, 1, width)}
    if distilled:
        shapes["encoder.dist_token"] = (1, 1, width)
    shapes["encoder.pos_embed"] = (1, patches + (2 if distilled else 1), width)
    shapes |= _linear("encoder.patch_embed.proj", width, 3, patch, patch)
    for block in range(net["n_layers"]):
        shapes |= _block(f"encoder.blocks.{block}", width)
    shapes |= _linear("encoder.norm", width) | _linear("encoder.head", 1000, width)
    if distilled:
        shapes |= _linear("encoder.head_dist", 1000, width)
    return shapes | _decoder_shapes(net["decoder"]["name"], width, classes)


def _decoder_shapes(head: str, width: int, classes: int) -> dict[str, tuple[int, ...]]:
    if head == "linear":
        return _linear("decoder.head", classes, width)
    shapes: dict[str, tuple[int, ...]] = {
        "decoder.cls_emb": (1, classes, width),
        "decoder.proj_patch": (width, width),
        "decoder.proj_classes": (width, width),
    }
    for block in range(2):
        shapes |= _block(f"decoder.blocks.{block}", width)
    shapes |= _linear("decoder.proj_dec", width, width)
    return shapes | _linear("decoder.decoder_norm", width) | _linear("decoder.mask_norm", classes)


def _block(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return (
        _linear(f"{name}.norm1", width)
        | _linear(f"{name}.norm2", width)
        | _linear(f"{name}.attn.qkv", 3 * width, width)
        | _linear(f"{name}.attn.proj", width, width)
        | _linear(f"{name}.mlp.fc1", 4 * width, width)
        | _linear(f"{name}.mlp.fc2", width, 4 * width)
    )


def _linear(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
