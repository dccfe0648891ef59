"""Define the transformer block of plain ViTs on packed rows, with the merge that happens at it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.encoders.rotary import rotate
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Packed, Reduction
from mpm_deploy.models.reductions.base import with_tokens
from mpm_deploy.ops.attention import attention
from mpm_deploy.ops.gelu import gelu


class Block(nn.Module):
    """A pre-norm transformer block on packed rows.

    Attributes:
        reduction: The merge that happens at this block; one that does nothing, unless it is set.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_width: int,
        *,
        norm_epsilon: float,
        gated_mlp: bool = False,
        qkv_bias: bool = True,
        qk_norm: bool = False,
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        head_width = width // heads
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=norm_epsilon)
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(head_width, eps=norm_epsilon) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(head_width, eps=norm_epsilon) if qk_norm else nn.Identity()
        self.proj = nn.Linear(width, width)
        self.scale1 = Scale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=norm_epsilon)
        self.fc1 = nn.Linear(width, 2 * mlp_width if gated_mlp else mlp_width)
        self.activation = SwiGlu() if gated_mlp else Gelu()
        self.fc2 = nn.Linear(mlp_width, width)
        self.scale2 = Scale(width) if layer_scale else nn.Identity()
        self.reduction = Reduction()

    def merge_embedded(self, packed: Packed, images: Tensor, halved: Tensor) -> Packed:
        """Merge patches as they are embedded, where its reduction is one that does.

        Arguments are those of `Reduction.after_embedding`.
        """
        return self.reduction.after_embedding(packed, images, halved)

    def merge_before(self, packed: Packed) -> Packed:
        """Merge the tokens that the block starts from, where its reduction is one that does."""
        return self.reduction.before_block(packed)

    def forward(
        self,
        packed: Packed,
        key_log_weight: Tensor | None = None,
        rotation: tuple[Tensor, Tensor] | None = None,
    ) -> Packed:
        """Transform the tokens of ``packed``.

        Args:
            packed: The tokens; those that merge before the block have merged.
            key_log_weight: That of `attention`.
            rotation: That of `Rotary`, by which queries and keys are turned; None turns none.
        """
        tokens, keys = self._attend(packed, key_log_weight, rotation)
        attended = self.reduction.after_attention(with_tokens(packed, tokens), keys)
        return with_tokens(attended, self._transform(attended.tokens))

    def _attend(
        self,
        packed: Packed,
        key_log_weight: Tensor | None,
        rotation: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """Compute the first half, attention: tokens ``(T, C)``, and their keys (T, heads, D)."""
        tokens, offsets, max_length = packed.tokens, packed.offsets, packed.max_length
        rows, width = tokens.shape[0], tokens.shape[1]
        qkv = self.qkv(self.norm1(tokens)).view(rows, 3, self.heads, width // self.heads)
        q, k, v = self.q_norm(qkv[:, 0]), self.k_norm(qkv[:, 1]), qkv[:, 2]  # (T, heads, D) each
        if rotation is not None:
            cosines, sines = rotation
            q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        attended = attention(q, k, v, offsets, max_length, key_log_weight).reshape(rows, width)
        return tokens + self.scale1(self.proj(attended)), k

    def _transform(self, tokens: Tensor) -> Tensor:
        """Compute the second half, the MLP: ``(T, C)`` -> ``(T, C)``."""
        return tokens + self.scale2(self.fc2(self.activation(self.fc1(self.norm2(tokens)))))

    def flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the block, by image tokens; ``others`` are the rows besides."""
        return self.attention_flops(others) + self.mlp_flops(others)

    def attention_flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the first half."""
        # q kᵀ and (weights) v: 4 C n² with n = others + t
        pairs = 4.0 * self.proj.in_features
        products = Polynomial(pairs * others**2, 2 * pairs * others, pairs)
        return _layer_flops(others, self.qkv, self.proj) + products

    def mlp_flops(self, others: int) -> Polynomial:
        """Count the FLOPs of the second half."""
        return _layer_flops(others, self.fc1, self.fc2)

    def merge_flops(self) -> Polynomial:
        """Count the FLOPs of deciding which tokens merge."""
        width = self.proj.in_features
        similarity = self.reduction.similarity_flops(width, width // self.heads)
        return Polynomial(constant=self.reduction.image_flops(), quadratic=similarity)


def _layer_flops(others: int, *layers: nn.Linear) -> Polynomial:
    return per_row(2.0 * sum(layer.in_features * layer.out_features for layer in layers), others)


class Gelu(nn.Module):
    """The activation of plain ViTs."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Compute GELU: ``(T, M)`` -> ``(T, M)``."""
        return gelu(hidden)


class SwiGlu(nn.Module):
    """The gated activation of Shazeer, "GLU Variants Improve Transformer", 2020."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Gate one half of the channels by the other: ``(T, 2 M)`` -> ``(T, M)``."""
        gate, value = hidden.chunk(2, dim=-1)
        return functional.silu(gate) * value


class Scale(nn.Module):
    """LayerScale, which has one learned factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Multiply each channel by its factor: ``(T, C)`` -> ``(T, C)``."""
        return tokens * self.gamma
