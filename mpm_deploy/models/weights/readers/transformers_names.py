"""Know the names that `transformers` gives to tensors, in every release that has saved them."""

from collections.abc import Mapping

from torch import Tensor

from mpm_deploy.models.weights.readers.eomt import EomtNames
from mpm_deploy.models.weights.readers.transformers_config import EOMT, ROTARY, TransformersConfig
from mpm_deploy.models.weights.readers.vits import VitNames

CLASS_TOKEN = "embeddings.cls_token"
HEAD_NAMES = EomtNames(
    queries="query.weight",
    classes="class_predictor",
    masks=("mask_head.fc1", "mask_head.fc2", "mask_head.fc3"),
    upscale="upscale_block.block",
    norm="layernorm2d",
    mask_shares="attn_mask_probs",
)
_REGISTERS = "embeddings.register_tokens"
_POSITION = "embeddings.position_embeddings"

# Each part's names, by release or architecture; a file has one line of each.
_Candidates = tuple[tuple[str, ...], ...]
_BLOCKS: _Candidates = (("encoder.layer",), ("layers",), ("layer",), ("model.layer",))
_PATCH_EMBED: _Candidates = (
    ("embeddings.patch_embeddings.projection",),
    ("embeddings.patch_embeddings",),
)
_QKV: _Candidates = (
    ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
    ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
)
_PROJ: _Candidates = (("attention.o_proj",), ("attention.out_proj",), ("attention.output.dense",))
_FC1: _Candidates = (
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.weights_in",),
    ("mlp.fc1",),
    ("mlp.up_proj",),
)
_FC2: _Candidates = (("mlp.down_proj",), ("mlp.weights_out",), ("mlp.fc2",))
_NORM: _Candidates = (("layernorm",), ("norm",))


def names_in(tensors: Mapping[str, Tensor], config: TransformersConfig) -> VitNames:
    """Return the names that a model's tensors have in the release that saved them."""

    def found(part: _Candidates, front: str = "") -> tuple[str, ...]:
        there = (names for names in part if _any_of(tensors, f"{front}{names[0]}."))
        return next(there, part[-1])

    (blocks,) = found(_BLOCKS)
    first = f"{blocks}.0."
    qkv = found(_QKV, first)
    rotary, is_eomt = config.model_type in ROTARY, config.model_type in EOMT
    has_registers = config.num_register_tokens > 0 or _REGISTERS in tensors
    return VitNames(
        tokens=(CLASS_TOKEN, _REGISTERS) if has_registers else (CLASS_TOKEN,),
        patch_embed=found(_PATCH_EMBED)[0],
        position=None if rotary else f"{_POSITION}.weight" if is_eomt else _POSITION,
        positioned=0 if is_eomt else 1,
        position_is_table=is_eomt,
        blocks=blocks,
        qkv=qkv,
        unbiased=qkv[1:2] if rotary and not config.key_bias else (),
        proj=found(_PROJ, first)[0],
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        fc1=found(_FC1, first),
        fc2=found(_FC2, first)[0],
        norm=found(_NORM)[0],
    )


def _any_of(tensors: Mapping[str, Tensor], module: str) -> bool:
    return any(name.startswith(module) for name in tensors)
