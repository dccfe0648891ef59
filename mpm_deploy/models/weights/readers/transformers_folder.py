"""Read the folder that `save_pretrained` of transformers writes, without that package.

config.json                what the model is
model.safetensors          its tensors, or model.safetensors.index.json and the shards it names
preprocessor_config.json   how images were prepared; without it, as ImageNet's

DINOv2, with and without registers, and DINOv3 are encoders without a head. EoMT has one, on either.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.named import facts_of
from mpm_deploy.models.heads.eomt import EomtHead
from mpm_deploy.models.weights.checks import unwrapped
from mpm_deploy.models.weights.classes import Classes, classes_named, classes_of
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers.eomt import check_unmasked, eomt_weights, measured_head
from mpm_deploy.models.weights.readers.origin import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    encoder_info,
    weights_info,
)
from mpm_deploy.models.weights.readers.transformers_config import (
    EOMT,
    ROTARY,
    TransformersConfig,
    read_config,
    read_table,
)
from mpm_deploy.models.weights.readers.transformers_names import (
    CLASS_TOKEN,
    HEAD_NAMES,
    names_in,
)
from mpm_deploy.models.weights.readers.translation import translated
from mpm_deploy.models.weights.readers.vits import (
    VitNames,
    length,
    measured,
    named_backbone,
    vit_weights,
)
from mpm_deploy.models.weights.safetensors_file import load_tensors
from mpm_deploy.recipe.model_names import model_name
from mpm_deploy.support.family import require
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.schema import StructureError, read_structure

CONFIG = "config.json"
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# What training and classification keep beside a model.
_UNUSED = re.compile(r"(.*\.)?(mask_token|criterion\.\w+|classifier\.(weight|bias))")
_FEWEST_CLASSES = 2  # of which no names are written
_NETWORK = f"the network in {CONFIG}"
_CURE = "take the folder as save_pretrained wrote it, with the config.json of these very tensors"
# Which key of a configuration says what the shapes of tensors say too.
_KEYS = {
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "patch_size": "patch_size",
    "patches": "image_size",
    "special_tokens": "num_register_tokens",
    "classes": "id2label",
    "queries": "num_queries",
    "query_blocks": "num_blocks",
    "upscaling": "num_upscale_blocks",
}


@dataclass(frozen=True)
class Preparation:
    """Holds what ``preprocessor_config.json`` says of images, under the names it has there.

    Args:
        image_mean: Mean of each channel, on 0..1.
        image_std: Standard deviation of each channel, on 0..1.
        do_split_image: Whether windows are laid over an image, as for semantic segmentation.
        do_normalize: Whether mean and deviation are used.
    """

    image_mean: tuple[float, float, float] = IMAGENET_MEAN
    image_std: tuple[float, float, float] = IMAGENET_STD
    do_split_image: bool = False
    do_normalize: bool = True

    def __post_init__(self) -> None:
        require(min(self.image_std) > 0, "image_std", "numbers above 0", self.image_std)
        require(self.do_normalize, "do_normalize", "true", self.do_normalize)


@dataclass(frozen=True)
class _Saved:
    """A folder as it was read.

    Args:
        folder: Where it lies.
        config: What its ``config.json`` says.
        images: What its ``preprocessor_config.json`` says.
        files: Those with tensors.
        tensors: The tensors that are used, by name, without what a wrapper put in front.
        vit: The names of an encoder's tensors among them.
    """

    folder: Path
    config: TransformersConfig
    images: Preparation
    files: tuple[Path, ...]
    tensors: Mapping[str, Tensor]
    vit: VitNames


def read_transformers(folder: Path) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read a model's folder.

    Args:
        folder: It holds ``config.json``.

    Returns:
        The weights in float32 under this package's names, and what they are for. An encoder without
        a head has the origin ``"random"``, since one has to be drawn for it.

    Raises:
        ModelError: Files that are missing, damaged or contradict each other; a model of a shape
            that no family has; names or shapes other than it has; values that are not finite.
        HostError: This machine is short of memory.
        MissingPackageError: safetensors is not installed.
    """
    saved = _open(folder)
    _check_agrees(saved)
    backbone = _backbone(saved)
    if saved.config.model_type in EOMT:
        return _read_eomt(saved, backbone)
    shape, vit, images = saved.config.encoder, saved.vit, saved.images
    weights = translated(
        folder, saved.tensors, lambda take: vit_weights(take, shape, vit), _NETWORK, _CURE
    )
    name = model_name(backbone, "linear")
    return weights, encoder_info(name, shape.image_size, images.image_mean, images.image_std)


def _read_eomt(saved: _Saved, backbone: str) -> tuple[dict[str, Tensor], WeightsInfo]:
    check_unmasked(saved.folder, saved.tensors, HEAD_NAMES)
    shape, vit, images, head = saved.config.encoder, saved.vit, saved.images, _head(saved)
    names, palette = _classes(saved)
    weights = translated(
        saved.folder,
        {name: each for name, each in saved.tensors.items() if name != HEAD_NAMES.mask_shares},
        lambda take: (
            vit_weights(take, shape, vit) | eomt_weights(take, HEAD_NAMES, shape, len(names), head)
        ),
        _NETWORK,
        _CURE,
    )
    info = weights_info(
        saved.folder,
        saved.files,
        model_name(backbone, "eomt"),
        shape.image_size,
        images.image_mean,
        images.image_std,
        (names, palette),
        head=asdict(head),
        input={"fit": "slide_evenly" if images.do_split_image else "resize"},
    )
    return weights, info


# ---- what lies in the folder ----


def _open(folder: Path) -> _Saved:
    config = read_config(folder / CONFIG)
    images = _preparation(folder / "preprocessor_config.json")
    files = _files(folder)
    held = {name: tensor for path in files for name, tensor in load_tensors(path).items()}
    used = {name: tensor for name, tensor in held.items() if not _UNUSED.fullmatch(name)}
    tensors = unwrapped(used, CLASS_TOKEN)
    return _Saved(folder, config, images, files, tensors, names_in(tensors, config))


def _files(folder: Path) -> tuple[Path, ...]:
    """Return the files that hold a folder's tensors."""
    if (folder / _WHOLE).is_file():
        return (folder / _WHOLE,)
    if (folder / _INDEX).is_file():
        return _shards(folder / _INDEX)
    raise ModelError(
        f"{folder}: expected {_WHOLE}, or {_INDEX} and its shards, beside {CONFIG}, got neither",
        "save_pretrained of transformers writes them; a pytorch_model.bin of EoMT's authors is "
        "named itself",
    )


def _shards(index: Path) -> tuple[Path, ...]:
    held = read_table(index).get("weight_map")
    files = {*held.values()} if isinstance(held, dict) and _are_beside(held.values()) else set()
    if not files:
        raise ModelError(
            f"{index}: weight_map: expected tensors' names, each with a file beside it, got "
            f"{shown(held)}",
            _CURE,
        )
    shards = tuple(index.with_name(name) for name in sorted(files))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise ModelError(
            f"{index.parent}: expected the {len(shards)} shards that {_INDEX} names, got all but "
            f"{', '.join(missing[:8])}",
            "copy the whole folder anew",
        )
    return shards


def _are_beside(names: Any) -> bool:
    return all(isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) for name in names)


def _preparation(path: Path) -> Preparation:
    if not path.is_file():
        return Preparation()
    try:
        return read_structure(Preparation, read_table(path), unknown_keys=True)
    except StructureError as error:
        raise ModelError(f"{path}: {error}", _CURE) from error


def _classes(saved: _Saved) -> Classes:
    """Return the names of the classes, and the colors of the data set that has them."""
    labels = saved.config.id2label
    numbers = [str(number) for number in range(len(labels))]
    if {*labels} != {*numbers}:
        raise ModelError(
            f"{saved.folder / CONFIG}: id2label: expected a name for each number from 0 to "
            f"{len(labels) - 1}, got names for {shown(sorted(labels))}",
            _CURE,
        )
    if labels.get("0", "LABEL_0") == "LABEL_0":  # nobody gave names
        return classes_of(len(labels) or _FEWEST_CLASSES)
    return classes_named(labels[number] for number in numbers)


# ---- which model it is ----


def _head(saved: _Saved) -> EomtHead:
    config = saved.config
    return EomtHead(config.num_queries, config.num_blocks, config.num_upscale_blocks)


def _check_agrees(saved: _Saved) -> None:
    """Refuse a configuration that says another shape than the tensors have."""
    config, (down, across) = saved.config, saved.config.encoder.grid
    claims = {
        **asdict(config.encoder),
        **asdict(_head(saved)),
        "patches": down * across,
        "classes": len(config.id2label) or _FEWEST_CLASSES,
    }
    for fact, value in _facts(saved).items():
        if claims[fact] != value:
            raise ModelError(
                f"{saved.folder / CONFIG}: {_key(config, fact)}: expected {fact} {value}, which "
                f"the tensors have, got {claims[fact]}",
                _CURE,
            )


def _facts(saved: _Saved) -> dict[str, Any]:
    """Return what the tensors say of the model's shape."""
    facts = measured(saved.tensors, saved.vit) | measured_head(saved.tensors, HEAD_NAMES)
    del facts["layer_scale"]  # without which names are missing
    positions = length(saved.tensors, saved.vit.position or "", -2)
    return facts if positions is None else facts | {"patches": positions - saved.vit.positioned}


def _key(config: TransformersConfig, fact: str) -> str:
    rotary = config.model_type in ROTARY
    keys = {
        **_KEYS,
        "mlp_width": "intermediate_size" if rotary else "mlp_ratio",
        "gated_mlp": "use_gated_mlp" if rotary else "use_swiglu_ffn",
    }
    return keys[fact]


def _backbone(saved: _Saved) -> str:
    path, config = saved.folder / CONFIG, saved.config.encoder
    backbone, shape = named_backbone(path, facts_of(config))
    if shape.norm_epsilon != config.norm_epsilon:
        raise ModelError(
            f"{path}: layer_norm_eps: expected {shape.norm_epsilon}, as {backbone} has, got "
            f"{config.norm_epsilon}",
            "train it with that epsilon; another gives other scores",
        )
    return backbone
