"""Read and write weights: `NAME.safetensors`, and `NAME.toml` that says what they are.

model = "seg_t16_mask"                      one of the zoo's names
image_size = [512, 512]                     height, width they were trained for
mean = [0.5, 0.5, 0.5]                      on 0..1
std = [0.5, 0.5, 0.5]
classes = ["road", ...]
palette = [[128, 64, 128], ...]             red, green, blue of each class
base = "demo"                               what holds the rest, where only some were trained
[head]                                      the head's options, where they are not its defaults
[backbone]                                  the backbone's, likewise
[input]                                     how images were fitted, as in a recipe's table
[merge]                                     how tokens merged in training, as in a recipe's table
[provenance]                                free: who made them, how, from what

`read_weights` takes others too: checkpoints of Segmenter, EoMT, EVA-01 and DINOv2, folders of
transformers, and timm's by their name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from mpm_deploy.errors import InputError, MissingPackageError, ModelError, RecipeError
from mpm_deploy.models.encoders.base import EncoderFamily
from mpm_deploy.models.heads import Head
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.checks import (
    as_float32,
    check_has_reductions,
    differing_names,
    of_reduction,
    unwrapped,
)
from mpm_deploy.models.weights.info import RANDOM, WeightsInfo
from mpm_deploy.models.weights.readers.checkpoints import read_checkpoint
from mpm_deploy.models.weights.readers.origin import hash_of
from mpm_deploy.models.weights.readers.timm_files import TIMM, read_timm
from mpm_deploy.models.weights.readers.transformers_folder import CONFIG, read_transformers
from mpm_deploy.models.weights.safetensors_file import load_tensors, saved_tensors
from mpm_deploy.models.zoo import find_model
from mpm_deploy.support.documents import read_document, read_toml
from mpm_deploy.support.files import check_can_write, written_atomically
from mpm_deploy.support.quoting import shortened
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure, to_mapping

DEMO_WEIGHTS = Path(__file__).with_name("demo.safetensors")
DEMOS = {"seg_t16_mask": DEMO_WEIGHTS, "eomt_t16": DEMO_WEIGHTS.with_name("demo_eomt.safetensors")}
DEMO_CTS = DEMO_WEIGHTS.with_name("demo_cts.safetensors")  # of seg_t16_mask, trained with sharing
_REQUIRED = {"model", "image_size", "mean", "std", "classes", "palette"}  # of every TOML
T = TypeVar("T")

_ABOUT_CURE = (
    "write it as `mpm-deploy convert` does: model, image_size, mean, std, classes, palette"
)


def save_weights(model: Segmenter, path: Path, about: Mapping[str, Any]) -> None:
    """Write a model's weights in bfloat16 and what they are, each file whole or not at all.

    What the weights have that ``about`` names as their base is left out.

    Args:
        model: The model.
        path: Ends in ``.safetensors``; the TOML goes beside it.
        about: The TOML's content, as this module's head shows it.
    """
    tensors = {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}
    base = _read_base(path, about["base"]) if "base" in about else {}
    differing = {
        name: tensor
        for name, tensor in tensors.items()
        if name not in base or not torch.equal(tensor.float(), base[name])
    }
    _save(differing, path, about)


def convert_weights(source: Path | str, target: Path) -> WeightsInfo:
    """Write weights of another format as this package's own, number by number the same.

    Args:
        source: What `read_weights` takes.
        target: Ends in ``.safetensors``; the TOML goes beside it.

    Raises:
        InputError: A target of another name, or one that would take the place of what is converted
            or of a TOML that says something else; or it cannot be written there.
        ModelError: Weights that cannot be read, or that have no head.
    """
    _check_target(source, target)
    tensors, info = read_weights(source)
    if info.origin == RANDOM:
        raise ModelError(
            f"{source}: expected weights with a segmentation head, got an encoder alone",
            "convert a Segmenter, an EoMT, an EVA-01 or a head of DINOv2",
        )
    provenance = {"converted_from": info.origin, "sha256": info.sha256}
    _save(tensors, target, _about(info) | {"provenance": provenance})
    return info


def _check_target(source: Path | str, target: Path) -> None:
    """Refuse to write over what is read, or over what are no weights of ours."""
    if target.suffix != ".safetensors":
        raise InputError(
            f"{target}: expected a file that ends in .safetensors, got {target.suffix!r}",
            f"-o {target.with_suffix('.safetensors')}",
        )
    about = target.with_suffix(".toml")
    _check_keeps(Path(source), (target, about))
    check_can_write(target, about)
    if about.exists() and not _describes_weights(about):
        raise InputError(
            f"{about}: cannot write there: expected a new file or one that says what weights are, "
            "got another",
            f"name another file than {target}: its TOML goes beside it",
        )


def _check_keeps(source: Path, targets: Sequence[Path]) -> None:
    folder = _folder_of_transformers(source)
    inputs = [source] if folder is None else [*folder.iterdir()]
    for target in targets:
        if target.exists() and any(path.exists() and path.samefile(target) for path in inputs):
            raise InputError(
                f"{target}: this output would overwrite an input",
                "name another place for what is written",
            )


def _describes_weights(toml: Path) -> bool:
    """Tell whether a file is what lies beside weights, and no recipe, nor another program's."""
    try:
        return read_toml(read_document(toml).decode()).keys() >= _REQUIRED
    except ValueError:
        return False


def read_weights(
    source: Path | str, model: str | None = None
) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read weights as float32, and what they are.

    Args:
        source: A ``.safetensors`` file with its TOML beside it, a ``checkpoint.pth`` of Segmenter
            with its ``variant.yml``, a folder that transformers wrote or the ``.safetensors`` in
            it, a checkpoint of EoMT's or EVA-01's authors, a head or backbone of DINOv2, ``"demo"``
            for a model that comes with this package, ``"demo_cts"`` for Segmenter's trained with
            CTS, or ``"timm:NAME"`` for an encoder without a head.
        model: The model whose demo is meant; None is Segmenter's.

    Raises:
        ModelError: A missing, damaged, foreign or incomplete file, values that are not finite, or
            a model that has no demo.
        MissingPackageError: A package that reads it is not installed.
    """
    if str(source).startswith(TIMM):
        return read_timm(str(source))
    if source == "demo":
        return _read_own(_demo_of(model), "demo")
    if source == DEMO_CTS.stem:
        return _read_own(DEMO_CTS, DEMO_CTS.stem)
    path = Path(source)
    folder = _folder_of_transformers(path)
    if folder is not None:
        return read_transformers(folder)
    return _read_own(path, path.name) if path.suffix == ".safetensors" else read_checkpoint(path)


def _demo_of(model: str | None) -> Path:
    if model is None:
        return DEMO_WEIGHTS
    if model not in DEMOS:
        raise ModelError(
            f"weights 'demo': expected a model that has a demo, {' or '.join(DEMOS)}, "
            f"got {model!r}",
            "name one of them, or other weights: --weights FILE, or --weights random for speed "
            "only",
        )
    return DEMOS[model]


def _folder_of_transformers(path: Path) -> Path | None:
    """Return the folder of a model that transformers wrote, where it or its weights are named."""
    is_lone = path.suffix == ".safetensors" and not path.with_suffix(".toml").exists()
    folder = path.parent if is_lone else path
    return folder if (folder / CONFIG).is_file() else None


def _read_own(path: Path, origin: str) -> tuple[dict[str, Tensor], WeightsInfo]:
    info = _read_info(path, origin)
    tensors = as_float32(path, unwrapped(load_tensors(path), "encoder.special"))
    if info.base is None:
        return tensors, info
    base = _read_base(path, info.base)
    hashes = hash_of([path, _base_path(path, info.base)])
    return {**base, **tensors}, replace(info, sha256=hashes, base=None)


def _read_base(path: Path, base: str) -> dict[str, Tensor]:
    """Read the weights, in float32, that hold what those of ``path`` do not."""
    place = _base_path(path, base)
    if _read_info(place, place.name).base is not None:
        raise ModelError(
            f"{path}: base: expected weights that are whole, got {base!r}, which have a base too",
            "name that one's base, or write whole weights: mpm-deploy convert",
        )
    return _read_own(place, place.name)[0]


def _base_path(path: Path, base: str) -> Path:
    return DEMO_WEIGHTS if base == "demo" else path.with_name(base)


def head_of(info: WeightsInfo) -> Head:
    """Make the head that weights were trained with.

    Raises:
        ModelError: An unknown model, an option that its head does not have, or a value that the
            option does not take.
    """
    return _with_options(find_model(info.model).head, info.head, "head", info)


def family_of(info: WeightsInfo) -> EncoderFamily:
    """Make the family of the backbone that weights were trained with, with its options.

    Raises:
        ModelError: As `head_of` does.
    """
    return _with_options(find_model(info.model).family, info.backbone, "backbone", info)


def _with_options(member: T, options: Mapping[str, Any], key: str, info: WeightsInfo) -> T:
    try:
        return read_structure(type(member), options, key)
    except StructureError as error:
        raise ModelError(f"{info.origin}: {error}", _ABOUT_CURE) from error


def load_into(
    model: Segmenter,
    tensors: Mapping[str, Tensor],
    origin: str,
    image_size: tuple[int, int] | None = None,
) -> None:
    """Give a model its weights; positions and patches are resized to those of the model.

    Weights of a merge method that the model does not merge by are left out.

    Args:
        model: The model.
        tensors: The weights by their names in it.
        origin: Where they come from, for a message.
        image_size: Input ``(height, width)`` in pixels that they were made for; None where nobody
            knows.

    Raises:
        ModelError: A missing, unexpected or wrongly shaped key; lists them.
    """
    expected = model.state_dict()
    check_has_reductions(origin, expected, tensors)
    tensors = {n: each for n, each in tensors.items() if n in expected or not of_reduction(n)}
    differing = differing_names(expected, tensors)
    if differing:
        raise ModelError(
            f"{origin}: weights do not fit the model: {differing}",
            "name the model that the weights were made for, and rename what was renamed",
        )
    for name, tensor in tensors.items():
        if tensor.dim() != expected[name].dim():
            raise _misshapen(origin, name, expected[name], tensor)
    fitted = _fitted(model, tensors, image_size)
    for name, tensor in fitted.items():
        if tensor.shape != expected[name].shape:
            raise _misshapen(origin, name, expected[name], tensor)
    model.load_state_dict(fitted)


def _fitted(
    model: Segmenter, tensors: Mapping[str, Tensor], image_size: tuple[int, int] | None
) -> dict[str, Tensor]:
    """Fit the encoder's weights to its input; those of the head fit any."""
    part = "encoder."
    encoder = {
        name.removeprefix(part): tensor for name, tensor in tensors.items() if name.startswith(part)
    }
    fitted = model.encoder.fit(encoder, image_size)
    return {**tensors, **{f"{part}{name}": tensor for name, tensor in fitted.items()}}


def _misshapen(origin: str, name: str, expected: Tensor, got: Tensor) -> ModelError:
    return ModelError(
        f"{origin}: {name}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}",
        "name the model and class count that the weights were made for",
    )


def load_encoder_into(
    model: Segmenter,
    tensors: Mapping[str, Tensor],
    origin: str,
    image_size: tuple[int, int] | None = None,
) -> None:
    """Give a model's encoder its weights, as `load_into` does.

    Its head stays as it is, and so do weights of its merge method.
    """
    own = ("decoder.", "encoder.queries")
    left = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(own) or of_reduction(name)
    }
    load_into(model, left | dict(tensors), origin, image_size)


def _read_info(path: Path, origin: str) -> WeightsInfo:
    beside = path.with_suffix(".toml")
    try:
        sha256 = hash_of([path])
        about = read_toml(read_document(beside).decode())
        known = {**about, "origin": origin, "sha256": sha256}
        return read_structure(WeightsInfo, known, unknown_keys=True)
    except OSError as error:
        cure = (
            "weights are NAME.safetensors with NAME.toml beside it, as `mpm-deploy convert` "
            "writes, or with the config.json that transformers wrote"
        )
        raise refusal(ModelError, f"{error.filename}: cannot be read", error, cure) from error
    except StructureError as error:
        raise ModelError(f"{beside}: {error}", _ABOUT_CURE) from error
    except RecipeError as error:
        raise ModelError(f"{beside}: {error.problem}", error.hint or _ABOUT_CURE) from error
    except ValueError as error:
        raise ModelError(f"{beside}: expected TOML: {shortened(error)}", _ABOUT_CURE) from error


def _about(info: WeightsInfo) -> dict[str, Any]:
    """Return the content of the TOML that lies beside whole weights."""
    about = to_mapping(info)
    return {name: about[name] for name in about if name not in ("origin", "sha256", "base")}


def _save(tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, Any]) -> None:
    content, text = saved_tensors(tensors), _tomli_w().dumps(dict(about))
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)  # safetensors' own writer says no errno
    with written_atomically(path.with_suffix(".toml")) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _tomli_w() -> Any:
    try:
        import tomli_w
    except ImportError as error:
        raise MissingPackageError(
            "writing weights needs tomli-w", "pip install 'mpm-deploy[build]'"
        ) from error
    return tomli_w
