"""Small models of `transformers` with random weights, and what reading them makes or refuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import ModelError
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import read_weights
from mpm_deploy.recipe import load_recipe
from tests.models.weights.readers.tiny_vits import DEPTH, HEADS_OF_A_BLOCK, WIDTH

transformers = pytest.importorskip("transformers")

CLASSES, QUERIES = 5, 7
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHAPE = {
    "hidden_size": WIDTH,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": HEADS_OF_A_BLOCK,
    "image_size": 56,
    "patch_size": 14,
}
_ROTARY = {"patch_size": 16, "image_size": 64, "intermediate_size": 256, "num_register_tokens": 4}
_EOMT = {"patch_size": 16, "image_size": 64, "num_queries": QUERIES, "num_labels": CLASSES}


MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "DINOv2": ("Dinov2", {}),
    "DINOv2 with SwiGLU": ("Dinov2", {"use_swiglu_ffn": True}),
    "DINOv2 with registers": ("Dinov2WithRegisters", {}),
    "DINOv3": ("DINOv3ViT", _ROTARY),
    "DINOv3 with SwiGLU": ("DINOv3ViT", _ROTARY | {"use_gated_mlp": True, "hidden_act": "silu"}),
    "EoMT": ("Eomt", _EOMT),
    "EoMT on DINOv3": ("EomtDinov3", _EOMT | _ROTARY | {"layer_norm_eps": 1e-5}),
}


def model_of(kind: str, end: str = "", **more: Any) -> nn.Module:
    """A model of `MODELS` in which every number matters; ``end`` is the class name's."""
    name, options = MODELS[kind]
    config = getattr(transformers, f"{name}Config")(**{**_SHAPE, **options, **more})
    end = end or ("ForUniversalSegmentation" if name.startswith("Eomt") else "Model")
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model: nn.Module = getattr(transformers, f"{name}{end}")(config).eval()
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.05)
        if hasattr(model, "attn_mask_probs"):
            model.attn_mask_probs.zero_()  # type: ignore[operator]
    return model


def save(model: Any, folder: Path, **how: Any) -> Path:
    """The folder, with what `save_pretrained` writes in it."""
    model.save_pretrained(folder, **how)
    return folder


def eager(source: Path, *changes: str) -> Segmenter:
    """Our full-token model of what was saved; a head that is not there is random."""
    recipe = load_recipe("cpu_portable_fp32").with_weights(str(source)).full_token()
    model, _ = make_model(recipe.override(*changes))
    return model


def images_for(model: Segmenter) -> tuple[Tensor, Tensor]:
    """Two images ``(2, 3, H, W)`` uint8, and what others make of them: normalized float32."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, 3, *model.image_size), generator=generator)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return images.to(torch.uint8), (images / 255 - mean) / std


def renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors with parts of their names exchanged, one after the other."""
    theirs = {}
    for name, tensor in tensors.items():
        for old, new in names.items():
            name = name.replace(old, new)
        theirs[name] = tensor
    return theirs


def with_fused_qkv(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with one ``attn.qkv`` in place of three projections."""
    left = dict(tensors)
    for name in [name for name in left if "q_proj" in name]:
        parts = [left.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
        left[name.replace("attention.q_proj", "attn.qkv")] = torch.cat(parts)
    return left


def assert_equal(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Both have the same names, and under each the same numbers."""
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(got[name], tensor), name


def refused(source: Path, place: Path | None = None) -> ModelError:
    """The error of reading it: one line, which begins with ``place`` or itself, and a cure."""
    with pytest.raises(ModelError) as caught:
        read_weights(source)
    error = caught.value
    assert error.problem.startswith(str(place or source))
    assert "\n" not in error.problem and error.hint
    return error
