"""Read checkpoints of https://github.com/rstrudel/segmenter, with ``variant.yml`` beside them.

checkpoint.pth   {model: tensors by their names, optimizer, n_cls, lr_scheduler, epoch} ─▶ weights
variant.yml      net_kwargs: size, width, depth, heads, normalization, decoder          ─▶ info

Both are only read: nothing in a pickle or a YAML is run. Others' trainings keep a network's tensors
under other names, and wrappers put more in front of each: that is understood.
"""

import hashlib
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.plain import PlainVit
from mpm_deploy.models.encoders.vit import EncoderConfig
from mpm_deploy.models.weights.checks import as_float32, differing_names, unwrapped
from mpm_deploy.models.weights.classes import classes_of
from mpm_deploy.models.weights.foreign import foreign_file
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.variant import NetKwargs, read_variant
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.quoting import shortened, shown
from mpm_deploy.support.refusal import refusal, refusal_in

_SEGMENTER_PAGE = "https://github.com/rstrudel/segmenter"
_NORMALIZATION = {  # mean and standard deviation, on 0..1
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "deit": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_HEADS = ("mask_transformer", "linear")
_MASK_DEPTH = 2  # blocks of the mask transformer in every published network
# Where trainings keep a network; an average of its weights where they keep nothing else.
_PLACES = ("model", "state_dict", "model_state_dict", "net")
_PLACES_OF_AVERAGES = ("model_ema", "state_dict_ema", "ema_state_dict", "ema")
_KNOWN = "encoder.cls_token"  # every Segmenter has it
# The backbone's classification heads came along and are not used.
_UNUSED = re.compile(r"encoder\.(head|head_dist)\.(weight|bias)")


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read an official checkpoint.

    Args:
        path: ``checkpoint.pth``; its ``variant.yml`` lies beside it.

    Returns:
        The weights in float32 under this package's names, and what they are for.

    Raises:
        HostError: This machine is short of memory.
        ModelError: A file that is missing, foreign, damaged or would run code; a network that is
            not in the zoo; keys or shapes other than that network has; values that are not finite.
        MissingPackageError: PyYAML is not installed.
    """
    weights = _weights_of(path, _load(path))
    net = read_variant(path.with_name("variant.yml"))
    name = _model_name(path.with_name("variant.yml"), net)
    _check_keys(path, weights, dict(_expected(net)))
    theirs = as_float32(path, weights)
    mean, std = _NORMALIZATION[net.normalization]
    classes, palette = classes_of(net.n_cls)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    info = WeightsInfo(
        origin=path.name,
        sha256=sha256,
        model=name,
        image_size=net.image_size,
        mean=mean,
        std=std,
        classes=classes,
        palette=palette,
    )
    return _ours(theirs), info


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise refusal(
            ModelError, f"{path}: cannot be read", error, _cure_of_missing(path)
        ) from error
    except Exception as error:  # whatever a foreign or damaged file makes of torch's reader
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None or not isinstance(error, pickle.UnpicklingError):
            told = refusal_in(error) or foreign_file(path, "a checkpoint of torch")
            raise told from error
        raise ModelError(
            f"{path}: expected a checkpoint of tensors and plain values, got a pickle that calls "
            f"{shortened(named.group(1))}; nothing in it was run",
            "where you trust its source, load it with weights_only=False and save its tensors "
            "alone: torch.save({'model': model.state_dict()}, 'checkpoint.pth')",
        ) from error


def _cure_of_missing(path: Path) -> str:
    if path.is_dir():
        return f"name a file in it; the folder of a timm model is timm:local-dir:{path}"
    return (
        "weights are demo, random, timm:NAME, NAME.safetensors with NAME.toml beside it, or "
        "checkpoint.pth with variant.yml beside it"
    )


def _model_name(variant: Path, net: NetKwargs) -> str:
    """Return the name of the model in the zoo that ``net`` describes."""
    if net.decoder.name not in _HEADS:
        raise ModelError(
            f"{variant}: net_kwargs.decoder.name: expected {' or '.join(_HEADS)}, "
            f"got {shown(net.decoder.name)}",
            "use a checkpoint whose decoder is a mask transformer or a linear layer",
        )
    special_tokens = 2 if net.distilled else 1
    backbone = _backbone(net, special_tokens)
    if backbone is None:
        raise ModelError(
            f"{variant}: net_kwargs: expected a backbone of the zoo, got {shown(net.backbone)} "
            f"with width {net.d_model}, {net.n_layers} blocks, {net.n_heads} heads, patch "
            f"{net.patch_size} and {special_tokens} special tokens",
            "ViT-T/S/B/L and distilled DeiT-T/S/B at patch 16, and ViT-B at patch 8 are known",
        )
    return model_name(backbone, net.decoder.name)


def _backbone(net: NetKwargs, special_tokens: int) -> str | None:
    """Return the backbone that has a network's shape; None if none has."""
    if net.n_heads < 1 or net.d_model % net.n_heads:
        return None
    return PlainVit().find(
        EncoderConfig(
            image_size=net.image_size,
            patch_size=net.patch_size,
            width=net.d_model,
            depth=net.n_layers,
            heads=net.n_heads,
            mlp_width=4 * net.d_model,
            special_tokens=special_tokens,
        )
    )


def _weights_of(path: Path, checkpoint: object) -> dict[str, Tensor]:
    """Return a Segmenter's tensors under its own names, without those that nobody uses."""
    found = list(_state_dicts(checkpoint))
    for weights in found:
        if _KNOWN in weights:
            return {name: t for name, t in weights.items() if not _UNUSED.fullmatch(name)}
    raise ModelError(
        f"{path}: expected a dict with a Segmenter's tensors, as {_KNOWN!r}, under "
        f"{' or '.join(map(repr, _PLACES[:2]))} or alone, got "
        f"{_described(found[0] if found else checkpoint)}",
        f"take what {_SEGMENTER_PAGE} writes, or where it was trained torch.save({{'model': "
        "model.state_dict()}, 'checkpoint.pth'); MMSegmentation and Hugging Face build other "
        "layers, and timm's encoders come as timm:NAME",
    )


def _state_dicts(checkpoint: object) -> Iterator[dict[str, Tensor]]:
    """Yield every dict of named tensors that may be a network, the likeliest first."""
    if not isinstance(checkpoint, Mapping):
        return
    places = (*_PLACES, *_PLACES_OF_AVERAGES)
    for candidate in (*map(checkpoint.get, places), checkpoint):
        if isinstance(candidate, Mapping) and candidate and all(map(_is_named, candidate.items())):
            yield unwrapped(candidate, _KNOWN)


def _is_named(item: tuple[object, object]) -> bool:
    name, tensor = item
    return isinstance(name, str) and isinstance(tensor, Tensor)


def _described(checkpoint: object) -> str:
    if not isinstance(checkpoint, Mapping):
        return f"a {type(checkpoint).__name__}"
    keys = ", ".join(map(shown, list(checkpoint)[:5]))
    return f"one with {keys or 'nothing in it'}" + (" and more" if len(checkpoint) > 5 else "")


def _check_keys(
    path: Path, theirs: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> None:
    differing = differing_names(expected, theirs)
    if differing:
        raise ModelError(
            f"{path}: weights are not those of the network in variant.yml: {differing}",
            "put the variant.yml of this very checkpoint beside it, and rename what was renamed",
        )
    for name, shape in expected.items():
        if tuple(theirs[name].shape) != shape:
            raise ModelError(
                f"{path}: {name}: expected shape {shape}, as variant.yml says, got "
                f"{tuple(theirs[name].shape)}",
                "put the variant.yml of this very checkpoint beside it",
            )


def _expected(net: NetKwargs) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of every key of a checkpoint that is used."""
    width, patch, classes = net.d_model, net.patch_size, net.n_cls
    special_tokens = 2 if net.distilled else 1
    down, across = (side // patch for side in net.image_size)
    yield "encoder.cls_token", (1, 1, width)
    if net.distilled:
        yield "encoder.dist_token", (1, 1, width)
    yield "encoder.pos_embed", (1, special_tokens + down * across, width)
    yield from _affine("encoder.patch_embed.proj", width, 3, patch, patch)
    yield from _blocks("encoder", net.n_layers, width)
    yield from _affine("encoder.norm", width)
    if net.decoder.name == "linear":
        yield from _affine("decoder.head", classes, width)
        return
    yield from _affine("decoder.proj_dec", width, width)
    yield "decoder.cls_emb", (1, classes, width)
    yield from _blocks("decoder", _MASK_DEPTH, width)
    yield from _affine("decoder.decoder_norm", width)
    yield "decoder.proj_patch", (width, width)
    yield "decoder.proj_classes", (width, width)
    yield from _affine("decoder.mask_norm", classes)


def _blocks(part: str, depth: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for index in range(depth):
        block = f"{part}.blocks.{index}"
        yield from _affine(f"{block}.norm1", width)
        yield from _affine(f"{block}.attn.qkv", 3 * width, width)
        yield from _affine(f"{block}.attn.proj", width, width)
        yield from _affine(f"{block}.norm2", width)
        yield from _affine(f"{block}.mlp.fc1", 4 * width, width)
        yield from _affine(f"{block}.mlp.fc2", width, 4 * width)


def _affine(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _ours(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under this package's names, with positions added to special tokens."""
    left = dict(theirs)
    tokens = [left.pop(f"encoder.{kind}_token", None) for kind in ("cls", "dist")]
    special = torch.cat([token[0] for token in tokens if token is not None])  # (E, C)
    position = left.pop("encoder.pos_embed")[0]  # (E + N, C)
    count = special.shape[0]
    ours = {"encoder.special": special + position[:count], "encoder.position": position[count:]}
    if "decoder.cls_emb" in left:
        ours["decoder.cls_emb"] = left.pop("decoder.cls_emb")[0]
    return ours | {_our_name(name): tensor for name, tensor in left.items()}


def _our_name(name: str) -> str:
    for part, ours in ((".attn.", "."), (".mlp.", "."), ("patch_embed.proj.", "patch_embed.")):
        name = name.replace(part, ours)
    return name
