"""Read what torch wrote as a pickle, and find the networks in it; nothing in it is run."""

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.foreign import foreign_file
from mpm_deploy.support.quoting import shortened
from mpm_deploy.support.refusal import refusal, refusal_in

# Where trainings keep a network; an average of its weights where they keep nothing else.
PLACES = ("model", "state_dict", "model_state_dict", "net")
_PLACES_OF_AVERAGES = ("model_ema", "state_dict_ema", "ema_state_dict", "ema")


def load(path: Path) -> Any:
    """Return what torch wrote to a file, as far as it is tensors and plain values.

    Raises:
        HostError: This machine is short of memory.
        ModelError: A file that is missing, foreign, damaged or would run code.
    """
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
        return (
            "a folder that transformers wrote has a config.json in it: copy that too, or name a "
            f"file in the folder; that of a timm model is timm:local-dir:{path}"
        )
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(path)) and not path.suffix:
        return (
            f"nothing is downloaded here: `hf download {path} --local-dir {path.name}` brings the "
            f"folder, and --weights {path.name} reads it; DINOv3's are gated: first accept their "
            "license on their page, and `hf auth login`"
        )
    return (
        "weights are demo, random, timm:NAME, NAME.safetensors with NAME.toml beside it, a folder "
        "that transformers wrote, checkpoint.pth with variant.yml beside it, or a checkpoint of "
        "EoMT, EVA-01 or DINOv2"
    )


def state_dicts(checkpoint: object) -> Iterator[dict[str, Tensor]]:
    """Yield every dict of named tensors that may be a network, the likeliest first."""
    if not isinstance(checkpoint, Mapping):
        return
    places = (*PLACES, *_PLACES_OF_AVERAGES)
    for candidate in (*map(checkpoint.get, places), checkpoint):
        if isinstance(candidate, Mapping) and candidate and all(map(_is_named, candidate.items())):
            yield dict(candidate)


def _is_named(item: tuple[object, object]) -> bool:
    name, tensor = item
    return isinstance(name, str) and isinstance(tensor, Tensor)
