"""Makes models of transformers with random weights, which this project then reads and compiles.

    MODELS["eomt_s16"] ──▶ folder()     as save_pretrained writes it: what `--weights` takes
                       └─▶ reference()  what transformers computes of it: pixels to class scores

Weights are drawn wider than for training, so that attention is not uniform and scores differ; the
networks for classes, masks and features are those of the published models in shape alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.bench.cache import FOLDER
from mpm_deploy.builder.model import make_model
from mpm_deploy.models.weights.readers.origin import IMAGENET_MEAN, IMAGENET_STD
from mpm_deploy.recipe import Recipe, load_recipe

CLASSES = 150
_SPREAD = 0.03  # deviation of what is added to every weight


@dataclass(frozen=True)
class TransformersModel:
    """A model of transformers, with random weights.

    Attributes:
        name: The name on command lines.
        kind: The names of its classes there, without "Config" and "Model".
        head: The head here, with its options as a recipe writes them.
        side: Side of its images in pixels.
        config: What differs from the defaults of its configuration.
    """

    name: str
    kind: str
    head: tuple[str, ...]
    side: int
    config: dict[str, Any]

    def folder(self) -> Path:
        """Return the folder that transformers wrote, which is made once."""
        import transformers

        folder = FOLDER / f"transformers-{transformers.__version__}" / self.name
        if not (folder / "config.json").exists():
            model = self._random()
            model.save_pretrained(folder)
            (folder / "preprocessor_config.json").write_text(json.dumps(self._preparation()))
        return folder

    def recipe(self, recipe: str) -> Recipe:
        """Return a built-in recipe for the folder's weights, at the model's own size."""
        return load_recipe(recipe).override(*self.settings)

    @property
    def settings(self) -> tuple[str, ...]:
        """The assignments that change a built-in recipe to build the folder, each image resized."""
        weights = f"model.weights={self.folder()}"
        size = f"model.image_size=[{self.side},{self.side}]"
        return (weights, size, *self.head, "input.fit=resize")

    def reference(self) -> "Reference":
        """Return what transformers computes of the folder."""
        return Reference(self)

    def loaded(self) -> nn.Module:
        """Load the folder by transformers' own means."""
        import transformers

        model: nn.Module = getattr(transformers, self._class).from_pretrained(self.folder())
        return model.eval()

    @property
    def is_eomt(self) -> bool:
        """Whether it has a head of its own."""
        return self.kind.startswith("Eomt")

    @property
    def _class(self) -> str:
        return self.kind if self.is_eomt else f"{self.kind}Model"

    def _random(self) -> Any:
        import transformers

        torch.manual_seed(0)
        architecture = self.kind.removesuffix("ForUniversalSegmentation")
        config = getattr(transformers, f"{architecture}Config")
        model = getattr(transformers, self._class)(config(image_size=self.side, **self.config))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * _SPREAD)
            if hasattr(model, "attn_mask_probs"):
                model.attn_mask_probs.zero_()  # no mask limits attention, as at inference
        return model

    def _preparation(self) -> dict[str, Any]:
        about: dict[str, Any] = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
        about |= {"do_rescale": True, "do_normalize": True}
        if self.is_eomt:
            size = {"shortest_edge": self.side, "longest_edge": None}
            about |= {"image_processor_type": "EomtImageProcessor", "size": size}
            about |= {"do_split_image": True, "do_pad": False}
        return about


class Reference(nn.Module):
    """Computes what transformers does, of images as this project's models take them.

    An encoder without a head gets the linear layer that this project draws for it.

    Args:
        model: The model.
    """

    def __init__(self, model: TransformersModel) -> None:
        super().__init__()
        self.model = model.loaded()
        self.is_eomt = model.is_eomt
        self.grid = model.side // self.model.config.patch_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.head = nn.Identity()
        if not self.is_eomt:
            ours, _ = make_model(model.recipe("cpu_portable_fp32").full_token())
            self.head = ours.decoder.head

    def outputs(self, images: Tensor) -> Any:
        """Compute what the model itself returns of ``(B, 3, H, W)`` uint8."""
        return self.model(pixel_values=(images / 255 - self.mean) / self.deviation)

    def forward(self, images: Tensor) -> Tensor:
        """Score classes: ``(B, 3, H, W)`` uint8 -> ``(B, K, h, w)`` float32."""
        out = self.outputs(images)
        if self.is_eomt:
            classes = out.class_queries_logits.softmax(dim=2)[:, :, :-1]  # (B, Q, K)
            masks = out.masks_queries_logits.sigmoid()  # (B, Q, h, w)
            return torch.einsum("bqk,bqhw->bkhw", classes, masks)
        patches = out.last_hidden_state[:, -(self.grid**2) :]  # (B, N, C)
        return self.head(patches).transpose(1, 2).unflatten(2, (self.grid, self.grid))


def _eomt(name: str, width: int, depth: int, heads: int) -> TransformersModel:
    config = {
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_queries": 100,
        "num_labels": CLASSES,
    }
    return TransformersModel(name, "EomtForUniversalSegmentation", (), 512, config)


def _dinov2(name: str, kind: str, backbone: str, width: int, heads: int) -> TransformersModel:
    config = {"hidden_size": width, "num_attention_heads": heads, "patch_size": 14}
    return TransformersModel(name, kind, _linear(backbone), 518, config)


def _linear(backbone: str) -> tuple[str, ...]:
    named = (f"model.backbone={backbone}", "model.head=linear", "model.name=")
    return (*named, f"model.classes={CLASSES}")


def _all() -> list[TransformersModel]:
    plain, registers = "Dinov2", "Dinov2WithRegisters"
    dinov3 = {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6}
    rotary = {"num_hidden_layers": 12, "num_register_tokens": 4, **dinov3}
    return [
        _dinov2("dinov2_s14", plain, "vit_small_patch14_dinov2", 384, 6),
        _dinov2("dinov2_b14", plain, "vit_base_patch14_dinov2", 768, 12),
        _dinov2("dinov2_reg4_s14", registers, "vit_small_patch14_reg4_dinov2", 384, 6),
        _dinov2("dinov2_reg4_b14", registers, "vit_base_patch14_reg4_dinov2", 768, 12),
        _eomt("eomt_s16", 384, 12, 6),
        _eomt("eomt_b16", 768, 12, 12),
        _eomt("eomt_l16", 1024, 24, 16),
        TransformersModel(
            "dinov3_s16", "DINOv3ViT", _linear("vit_small_patch16_dinov3"), 512, rotary
        ),
    ]


MODELS = {model.name: model for model in _all()}
