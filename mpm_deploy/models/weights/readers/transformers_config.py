"""Read the ``config.json`` that `transformers` writes beside a model's tensors.

A key that an older release did not write has the default that releases since give it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.heads.eomt import MOST_UPSCALING
from mpm_deploy.support.documents import read_document
from mpm_deploy.support.family import require
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure
from mpm_deploy.support.strict_json import read_json

EOMT = ("eomt", "eomt_dinov3")
ROTARY = ("dinov3_vit", "eomt_dinov3")
_DINOV2 = {"patch_size": 14, "layer_norm_eps": 1e-6, "image_size": 224}
_DINOV3 = {"patch_size": 16, "layer_norm_eps": 1e-5, "image_size": 224, "rope_theta": 100.0}
_EOMT = {"patch_size": 16, "layer_norm_eps": 1e-6, "image_size": 640, "num_register_tokens": 4}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dinov2": _DINOV2,
    "dinov2_with_registers": _DINOV2 | {"patch_size": 16, "num_register_tokens": 4},
    "dinov3_vit": _DINOV3,
    "eomt": _EOMT,
    "eomt_dinov3": _EOMT | {"rope_theta": 100.0},
}
# What the encoder here computes, whatever the model; another value is another computation.
_FIXED = {
    "num_channels": 3,
    "qkv_bias": True,
    "query_bias": True,
    "value_bias": True,
    "proj_bias": True,
    "mlp_bias": True,
}
_LARGEST = 1 << 16  # of every count
_CURE = "take config.json as it was saved with the tensors"


@dataclass(frozen=True)
class TransformersConfig:
    """Holds what ``config.json`` says of a model, under the names it has there.

    Args:
        model_type: The architecture.
        hidden_size: Width of a token.
        num_hidden_layers: Blocks.
        num_attention_heads: Heads of a block.
        image_size: Input ``(height, width)`` in pixels.
        patch_size: Side of a patch in pixels.
        layer_norm_eps: Epsilon of every LayerNorm.
        hidden_act: Activation of the MLP, and of EoMT's head.
        mlp_ratio: How many times as wide as a token an MLP is, where no ``intermediate_size`` is.
        intermediate_size: Hidden width of an MLP.
        use_swiglu_ffn: Whether the MLP of a model with learned positions is a SwiGLU.
        use_gated_mlp: The same where positions are rotary.
        num_register_tokens: Registers after the class token.
        rope_theta: Base of the rotary positions.
        key_bias: Whether keys have a bias, where positions are rotary.
        num_queries: EoMT's queries.
        num_blocks: How many of the last blocks they pass.
        num_upscale_blocks: How many times EoMT makes the grid of patches twice as fine.
        id2label: Names of the classes by their numbers.
    """

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: tuple[int, int]
    patch_size: int
    layer_norm_eps: float
    hidden_act: str = "gelu"
    mlp_ratio: float = 4.0
    intermediate_size: int | None = None
    use_swiglu_ffn: bool = False
    use_gated_mlp: bool = False
    num_register_tokens: int = 0
    rope_theta: float | None = None
    key_bias: bool = False
    num_queries: int = 200
    num_blocks: int = 4
    num_upscale_blocks: int = 2
    id2label: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = {
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "image_size": min(self.image_size),
            "patch_size": self.patch_size,
            "intermediate_size": self.intermediate_size or 1,
            "num_queries": self.num_queries,
        }
        for key, count in counts.items():
            require(0 < count <= _LARGEST, key, f"1 to {_LARGEST}", count)
        registers = self.num_register_tokens
        require(0 <= registers <= _LARGEST, "num_register_tokens", f"0 to {_LARGEST}", registers)
        require(max(self.image_size) <= _LARGEST, "image_size", f"1 to {_LARGEST}", self.image_size)
        steps = self.num_upscale_blocks
        fine = f"1 to {MOST_UPSCALING}"
        require(0 < steps <= MOST_UPSCALING, "num_upscale_blocks", fine, steps)
        blocks = self.num_hidden_layers if self.model_type in EOMT else _LARGEST
        require(0 < self.num_blocks <= blocks, "num_blocks", f"1 to {blocks}", self.num_blocks)
        require(0 < self.mlp_ratio <= 64, "mlp_ratio", "above 0, to 64", self.mlp_ratio)
        plain = self.model_type not in EOMT or not self.use_gated_mlp
        require(plain, "use_gated_mlp", "false for an EoMT", self.use_gated_mlp)
        activation = "silu" if self.use_gated_mlp else "gelu"
        require(self.hidden_act == activation, "hidden_act", repr(activation), self.hidden_act)
        whole = [side % self.patch_size == 0 for side in self.image_size]
        multiples = f"multiples of patch_size {self.patch_size}"
        require(all(whole), "image_size", multiples, self.image_size)
        heads = self.num_attention_heads
        divided = f"a divisor of hidden_size {self.hidden_size}"
        require(self.hidden_size % heads == 0, "num_attention_heads", divided, heads)

    @property
    def encoder(self) -> EncoderConfig:
        """The shape of the encoder."""
        return EncoderConfig(
            image_size=self.image_size,
            patch_size=self.patch_size,
            width=self.hidden_size,
            depth=self.num_hidden_layers,
            heads=self.num_attention_heads,
            mlp_width=self._mlp_width,
            gated_mlp=self.use_swiglu_ffn or self.use_gated_mlp,
            special_tokens=1 + self.num_register_tokens,
            norm_epsilon=self.layer_norm_eps,
            layer_scale=True,
            rotary_base=self.rope_theta,
        )

    @property
    def _mlp_width(self) -> int:
        if self.intermediate_size is not None:
            return self.intermediate_size
        width = int(self.hidden_size * self.mlp_ratio)
        # A SwiGLU of DINOv2 has two thirds of it, rounded up to a multiple of eight.
        return (int(width * 2 / 3) + 7) // 8 * 8 if self.use_swiglu_ffn else width


def read_config(path: Path) -> TransformersConfig:
    """Read a ``config.json``.

    Raises:
        ModelError: A file that is missing or no JSON, a model that is not known or computes
            something else, or a key that is missing or has a value that no model has.
    """
    document = read_table(path)
    _check_known(path, document)
    try:
        values = _as_today(_DEFAULTS[document["model_type"]] | document)
        return read_structure(TransformersConfig, values, unknown_keys=True)
    except StructureError as error:
        raise ModelError(f"{path}: {error}", error.hint or _CURE) from error


def read_table(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        ModelError: It cannot be read, or holds something else.
    """
    cure = f"take {path.name} as it was saved with the tensors"
    try:
        document = read_json(read_document(path))
    except OSError as error:
        raise refusal(ModelError, f"{path}: cannot be read", error, cure) from error
    except ValueError as error:
        raise ModelError(f"{path}: expected JSON: {error}", cure) from error
    if isinstance(document, dict):
        return document
    raise ModelError(f"{path}: expected a JSON object, got {shown(document)}", cure)


def _check_known(path: Path, document: Mapping[str, Any]) -> None:
    kind = document.get("model_type")
    if not isinstance(kind, str) or kind not in _DEFAULTS:
        raise ModelError(
            f"{path}: model_type: expected one of {', '.join(_DEFAULTS)}, got {shown(kind)}",
            f"the folder of a timm model is timm:local-dir:{path.parent}"
            if "architecture" in document
            else "convert another model to Segmenter's or this package's own format",
        )
    for key, value in _FIXED.items():
        if document.get(key, value) != value:
            raise ModelError(
                f"{path}: {key}: expected {shown(value)}, got {shown(document[key])}",
                "the encoder here has three color channels, and a bias in every layer",
            )


def _as_today(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with what releases write in more than one way as one of them."""
    today = dict(document)
    match today.get("image_size"):
        case int(side):
            today["image_size"] = (side, side)
    match today.get("patch_size"):
        case [int(side), int(other)] if side == other:
            today["patch_size"] = side
    rope = today.get("rope_parameters")
    if isinstance(rope, Mapping) and "rope_theta" in rope:
        today["rope_theta"] = rope["rope_theta"]
    return today
