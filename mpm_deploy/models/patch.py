"""Merge tokens inside a timm ViT that someone trains or evaluates with code of their own.

                        patch(vit) ─▶ encoder
vit(images) ─▶ vit.forward_features ─▶ encoder ─▶ vit's own layers, on packed rows
               (B, E + N, C) ◀─ every patch gets the token it went to ◀─┘
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.models.encoders.config import checked_schedule
from mpm_deploy.models.encoders.timm_vit import check_supported
from mpm_deploy.models.packing import equal_offsets, first_rows, image_local, patch_rows
from mpm_deploy.models.reductions.mpm import compose, merge_mutual_pairs
from mpm_deploy.models.timm_package import import_timm
from mpm_deploy.ops.attention import attention
from mpm_deploy.ops.attention.reference import attention as plain_attention
from mpm_deploy.support.tensors import shown


class PatchedEncoder(nn.Module):
    """A timm ViT's own layers on packed rows, with tokens merged before some of its blocks.

    It has no parameters but the ViT's, the very same objects.

    Args:
        vit: A plain ``timm.models.VisionTransformer``.
        blocks: The merge schedule, 0-based and rising; empty computes what timm does.

    Attributes:
        vit: The ViT.
        schedule: The blocks before which tokens merge.
        merge_maps: ``(B, M, N)`` int32 of the latest batch: the token of its image that each patch
            belongs to after each of the M merges.
    """

    def __init__(self, vit: Any, blocks: Sequence[int]) -> None:
        super().__init__()
        self.vit = vit
        self.schedule = checked_schedule(blocks, len(vit.blocks))
        self.merge_maps = torch.empty(0, len(self.schedule), 0, dtype=torch.int32)

    @property
    def tokens_kept(self) -> Tensor:
        """The image tokens that each merge left of the latest batch, ``(B, M)`` int32."""
        if self.merge_maps.shape[0] == 0:
            raise InputError("tokens_kept: expected a batch to have been encoded, got none")
        return self.merge_maps.amax(dim=2) + 1

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode normalized images.

        Args:
            images: ``(B, 3, H, W)``, normalized.

        Returns:
            ``tokens (T, C)`` with special tokens in front of each image's rows; ``offsets
            (B + 1,)`` int32; ``rows (B, N)`` int64, the row of ``tokens`` that each patch went to;
            and `merge_maps`.

        Raises:
            InputError: Images of another shape or type than the ViT takes, or none.
            ModelError: The ViT has attention dropout and is training.
        """
        vit = self.vit
        _check_images(images, vit.patch_embed)
        embedded = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
        batch, length = embedded.shape[0], embedded.shape[1]  # (B, E + N, C)
        special = vit.num_prefix_tokens
        rows = patch_rows(batch, length - special, special, embedded.device)  # (B, N)
        offsets = equal_offsets(batch, length, embedded.device)
        tokens = embedded.flatten(0, 1)  # (T, C)

        maps = [rows[:, None, :0].int().reshape(batch, 0, length - special)]
        for index, block in enumerate(vit.blocks):
            if index in self.schedule:
                # Similarities are float32: in bfloat16 other pairs come out.
                with torch.autocast(tokens.device.type, enabled=False):
                    tokens, merge_map, offsets = merge_mutual_pairs(
                        tokens, offsets, length, special
                    )
                rows = compose(rows, merge_map)
                maps.append(image_local(rows, offsets, special).int()[:, None])
            run = partial(_run_block, block)
            if vit.grad_checkpointing:
                tokens = checkpoint(run, tokens, offsets, length, use_reentrant=False)
            else:
                tokens = run(tokens, offsets, length)
        self.merge_maps = torch.cat(maps, dim=1)
        return vit.norm(tokens), offsets, rows, self.merge_maps

    def forward_features(
        self, images: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        """Return features as timm does: one token for each patch again, ``(B, E + N, C)``.

        The special tokens are in front.

        Raises:
            InputError: Images of another shape or type than the model takes, or none.
            ModelError: A mask is given, which does not fit merged tokens.
        """
        if attn_mask is not None or is_causal:
            raise ModelError(
                "forward_features: expected no attention mask, got one: it would not fit tokens "
                "that are merged",
                "mpm_deploy.unpatch(model) before calls with a mask",
            )
        tokens, offsets, rows, _ = self(images)
        special = first_rows(offsets, self.vit.num_prefix_tokens)  # (B, E)
        return tokens[torch.cat([special, rows], dim=1)]


def patch(model: nn.Module, blocks: Sequence[int] = (2, 5)) -> PatchedEncoder:
    """Make a timm ViT merge its tokens from now on, in whatever code it is part of.

    ``model.forward_features``, and so ``model(images)``, merges before the blocks of the schedule
    and gives as many tokens as before, in the same places: heads need not know. Parameters,
    ``state_dict`` and training mode are the model's own as ever. Patching a patched model changes
    its schedule.

    Args:
        model: A plain ``timm.models.VisionTransformer``.
        blocks: The merge schedule, 0-based and rising; empty merges nothing.

    Returns:
        The encoder that runs instead. It knows where tokens went (``merge_maps``, ``tokens_kept``),
        and called by itself it gives merged tokens to those who can use them.

    Raises:
        InputError: A schedule of anything but whole numbers.
        ModelError: A model that is no plain ViT, or a schedule that does not fit it.
        MissingPackageError: timm is not installed.
    """
    check_supported(model)
    _check_has_own_layers(model)
    if "forward_features" in vars(model) and _encoder_of(model) is None:
        raise ModelError(
            f"{type(model).__name__}: expected timm's `forward_features`, got another that was put "
            "in its place",
            "patch the model before whatever replaced it, or undo that first",
        )
    encoder = PatchedEncoder(model, blocks)
    # Of the instance, and no submodule: neither `state_dict` nor `modules()` shows it.
    vars(model)["forward_features"] = encoder.forward_features
    return encoder


def _check_has_own_layers(model: Any) -> None:
    if not isinstance(model.blocks[0], import_timm().models.vision_transformer.Block):
        raise ModelError(
            f"{type(model).__name__}: expected a model that `VisionTransformer`'s own blocks make "
            f"up, got `{type(model.blocks[0]).__name__}`",
            "`[model] backbone` of a recipe names it instead, and builds it with merging",
        )


def unpatch(model: nn.Module) -> None:
    """Undo `patch`: the model computes again what it did before, bit by bit.

    Raises:
        ModelError: The model is not patched.
    """
    if _encoder_of(model) is None:
        raise ModelError(f"{type(model).__name__}: expected a patched model, got one that is not")
    del vars(model)["forward_features"]


def _encoder_of(model: nn.Module) -> PatchedEncoder | None:
    own = getattr(model, "__dict__", {})  # whatever is no model has none
    replaced = getattr(own.get("forward_features"), "__self__", None)
    return replaced if isinstance(replaced, PatchedEncoder) else None


def _check_images(images: Any, embed: Any) -> None:
    """Refuse what timm's patch embedding would fail at in words of its own, or of torch's."""
    weight = embed.proj.weight
    if not (_is_batch(images, weight) and _fits(images.shape[2:], embed)):
        height, width = embed.img_size if embed.strict_img_size else ("H", "W")
        raise InputError(
            f"images: expected (B, 3, {height}, {width}) {weight.dtype}, got {shown(images)}",
            "give them as the model was trained: normalized, channels first, sides that are "
            f"multiples of {embed.patch_size[0]}",
        )
    if images.shape[0] == 0:
        raise InputError("images: expected one image or more, got an empty batch")


def _is_batch(images: Any, weight: Tensor) -> bool:
    """Tell whether these are images of a type and channels that the weights can multiply."""
    if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] != weight.shape[1]:
        return False
    if images.dtype == weight.dtype:
        return True
    return images.is_floating_point() and torch.is_autocast_enabled(images.device.type)


def _fits(size: Sequence[int], embed: Any) -> bool:
    if embed.strict_img_size:
        return tuple(size) == tuple(embed.img_size)
    sides = zip(size, embed.patch_size, strict=True)
    return bool(embed.dynamic_img_pad) or not any(side % patch for side, patch in sides)


def _run_block(block: Any, tokens: Tensor, offsets: Tensor, max_length: int) -> Tensor:
    """Run a timm block on packed rows, ``(T, C)`` -> ``(T, C)``."""
    attended = block.ls1(_attend(block.attn, block.norm1(tokens), offsets, max_length))
    tokens = tokens + _drop_path(block.drop_path1, attended, offsets)
    return tokens + _drop_path(block.drop_path2, block.ls2(block.mlp(block.norm2(tokens))), offsets)


def _attend(attn: Any, tokens: Tensor, offsets: Tensor, max_length: int) -> Tensor:
    if attn.training and attn.attn_drop.p > 0:
        raise ModelError(
            "VisionTransformer: attention dropout is not supported while training",
            "make the model with attn_drop_rate=0; proj_drop_rate and drop_path_rate may stay",
        )
    rows, width = tokens.shape
    qkv = attn.qkv(tokens).view(rows, 3, attn.num_heads, width // attn.num_heads)
    q, k, v = qkv.unbind(1)  # (T, heads, D) each
    # On a GPU packed rows are for inference: the kernel of float32 is told to keep nothing that
    # gradients could be computed from; that of bfloat16 and float16 has a gradient, never tried.
    attend = plain_attention if qkv.requires_grad else attention
    q, k = attn.q_norm(q).to(v.dtype), attn.k_norm(k).to(v.dtype)  # float32 under autocast
    attended = attend(q, k, v, offsets, max_length)
    return attn.proj_drop(attn.proj(attended.reshape(rows, width)))


def _drop_path(drop: nn.Module, branch: Tensor, offsets: Tensor) -> Tensor:
    """Drop the branch of whole images at random, as in timm, however many rows each still has."""
    if isinstance(drop, nn.Identity) or not drop.training:
        return branch
    factors = drop(branch.new_ones(offsets.shape[0] - 1, 1))  # (B, 1)
    rows = branch.shape[0]  # said, so that nothing waits for a GPU to add them up
    return branch * factors.repeat_interleave(offsets.diff().long(), dim=0, output_size=rows)
