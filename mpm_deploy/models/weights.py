"""Weights on disk: `NAME.safetensors` in bfloat16, and `NAME.toml` that says what they are.

model = "seg_t16_mask"                      one of the zoo's names
image_size = [512, 512]                     height, width they were trained for
mean = [0.5, 0.5, 0.5]                      on 0..1
std = [0.5, 0.5, 0.5]
classes = ["road", ...]
palette = [[128, 64, 128], ...]             red, green, blue of each class
[provenance]                                free: who made them, how, from what
"""

import colorsys
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from mpm_deploy.errors import MissingPackageError, ModelError
from mpm_deploy.files import written_atomically
from mpm_deploy.models.segmenter import Segmenter

DEMO_WEIGHTS = Path(__file__).parent.parent / "weights" / "demo.safetensors"


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file is for."""

    origin: str
    sha256: str | None
    model: str
    image_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


def save_weights(model: Segmenter, path: Path, about: Mapping[str, Any]) -> None:
    """Write a model's weights in bfloat16 and what they are, each file whole or not at all.

    Args:
        model: The model.
        path: Ends in ``.safetensors``; the TOML goes beside it.
        about: The TOML's content, as this module's head shows it.
    """
    save_file = _safetensors().save_file
    tensors = {
        name: tensor.detach().cpu().bfloat16().contiguous()
        for name, tensor in model.state_dict().items()
    }
    with written_atomically(path) as temporary:
        save_file(tensors, temporary)
    with written_atomically(path.with_suffix(".toml")) as temporary:
        temporary.write_text(_tomli_w().dumps(dict(about)))


def read_weights(path: Path | str) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read weights as float32, and what they are.

    Args:
        path: A ``.safetensors`` file with its TOML beside it, or ``"demo"`` for the model that
            comes with this package.

    Raises:
        ModelError: A missing, damaged or incomplete file.
    """
    origin = str(path) if path == "demo" else Path(path).name
    path = DEMO_WEIGHTS if path == "demo" else Path(path)
    info = _read_info(path, origin)
    try:
        tensors = _safetensors().load_file(path)
    except Exception as error:  # safetensors raises a class of its own that it does not export
        raise ModelError(f"{path}: not a whole safetensors file: {error}") from error
    return {name: tensor.float() for name, tensor in tensors.items()}, info


def load_into(model: Segmenter, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Give a model its weights; position embeddings are resized to the model's grid.

    Raises:
        ModelError: A missing, unexpected or wrongly shaped key; lists them.
    """
    expected = model.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - expected.keys())
    if missing or unexpected:
        raise ModelError(
            f"{origin}: weights do not fit the model: missing {missing or 'none'}, "
            f"unexpected {unexpected or 'none'}"
        )
    tensors = dict(tensors)
    position = "encoder.position"
    if tensors[position].shape[0] != expected[position].shape[0]:
        tensors[position] = resize_position(tensors[position], model.grid)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ModelError(
                f"{origin}: {name}: expected shape {tuple(expected[name].shape)}, "
                f"got {tuple(tensor.shape)}",
                "name the model and class count that the weights were made for",
            )
    model.load_state_dict(tensors)


def resize_position(position: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize position embeddings ``(N, C)`` of a square grid to another (down, across)."""
    side = round(position.shape[0] ** 0.5)
    if side * side != position.shape[0]:
        raise ModelError(
            f"position embeddings: expected a square grid to resize, got {position.shape[0]}"
        )
    square = position.T.reshape(1, -1, side, side)
    resized = functional.interpolate(square, size=grid, mode="bilinear", align_corners=False)
    return resized.reshape(position.shape[1], -1).T.contiguous()


def random_weights(
    model: str, image_size: tuple[int, int] | None, classes: int | None
) -> WeightsInfo:
    """What to say of random weights: good for speed, and nothing else."""
    count = classes or 150
    return WeightsInfo(
        origin="random",
        sha256=None,
        model=model,
        image_size=image_size or (512, 512),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        classes=tuple(f"class {number}" for number in range(count)),
        palette=tuple(_hue(number / count) for number in range(count)),
    )


def _hue(hue: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.6, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _read_info(path: Path, origin: str) -> WeightsInfo:
    beside = path.with_suffix(".toml")
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        about = tomllib.loads(beside.read_text())
        return WeightsInfo(
            origin=origin,
            sha256=sha256,
            model=str(about["model"]),
            image_size=(int(about["image_size"][0]), int(about["image_size"][1])),
            mean=_three(about["mean"]),
            std=_three(about["std"]),
            classes=tuple(map(str, about["classes"])),
            palette=tuple((int(r), int(g), int(b)) for r, g, b in about["palette"]),
        )
    except OSError as error:
        raise ModelError(
            f"{error.filename}: cannot be read: {error.strerror}",
            "weights are NAME.safetensors with NAME.toml beside it",
        ) from error
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{beside}: {type(error).__name__}: {error}") from error


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingPackageError(
            "reading weights needs safetensors", "pip install 'mpm-deploy[build]'"
        ) from error
    return safetensors.torch


def _tomli_w() -> Any:
    try:
        import tomli_w
    except ImportError as error:
        raise MissingPackageError(
            "writing weights needs tomli-w", "pip install 'mpm-deploy[build]'"
        ) from error
    return tomli_w
