"""Heads against dense readings of the papers' own, one image at a time."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.models import create
from mpm_deploy.models.heads import LinearDecoder, MaskTransformer
from mpm_deploy.models.heads.eomt import EomtDecoder
from mpm_deploy.models.packing import equal_offsets, patch_rows
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.weights.files import head_of, load_into, read_weights
from mpm_deploy.ops.label_map.reference import label_map

SCENES = Path(__file__).parents[3] / "examples" / "scenes" / "images"
SPECIAL, PATCHES, WIDTH, CLASSES = 2, 10, 64, 4


def dense_block(block: torch.nn.Module, x: Tensor) -> Tensor:
    """A pre-norm block on ``(n, C)``, attention written out."""
    q, k, v = (
        part.unflatten(1, (block.heads, -1)).transpose(0, 1)
        for part in block.qkv(block.norm1(x)).chunk(3, dim=1)
    )
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
    x = x + block.proj((weights @ v).transpose(0, 1).flatten(1))
    return x + block.fc2(functional.gelu(block.fc1(block.norm2(x))))


def dense_mask_transformer(decoder: MaskTransformer, patches: Tensor) -> Tensor:
    """``(n, C)`` of one image -> ``(n, K)``."""
    x = torch.cat([decoder.proj_dec(patches), decoder.cls_emb])
    for block in decoder.blocks:
        x = dense_block(block, x)
    x = decoder.decoder_norm(x)
    masks = functional.normalize(x[: len(patches)] @ decoder.proj_patch, dim=-1)
    classes = functional.normalize(x[len(patches) :] @ decoder.proj_classes, dim=-1)
    return decoder.mask_norm(masks @ classes.T)


def random(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return module.double().eval()


def packed(images: int, special: int = SPECIAL) -> Packed:
    generator = torch.Generator().manual_seed(images)
    rows = images * (special + PATCHES)
    tokens = torch.randn(rows, WIDTH, generator=generator, dtype=torch.float64)
    device = torch.device("cpu")
    return Packed(
        tokens,
        equal_offsets(images, special + PATCHES, device),
        special + PATCHES,
        patch_rows(images, PATCHES, special, device),
        special,
    )


def test_mask_transformer_is_segmenters():
    decoder = random(MaskTransformer(WIDTH, WIDTH, 2, CLASSES))
    for images in (1, 3):
        tap = packed(images)
        scores = decoder([tap])
        assert scores.shape == (images, PATCHES, CLASSES)
        for image in range(images):
            expected = dense_mask_transformer(decoder, tap.tokens[tap.rows[image]])
            torch.testing.assert_close(scores[image], expected, atol=1e-10, rtol=0)


def test_linear_decoder_is_one_layer():
    decoder = random(LinearDecoder(WIDTH, CLASSES))
    tap = packed(3)
    torch.testing.assert_close(decoder([tap]), decoder.head(tap.tokens[tap.rows]))


def test_linear_decoder_reads_taps_side_by_side():
    decoder = random(LinearDecoder(WIDTH, CLASSES, taps=3))
    taps = [tap._replace(tokens=tap.tokens * factor) for factor in (1, 2, 3) for tap in [packed(2)]]
    wide = torch.cat([tap.tokens[tap.rows] for tap in taps], dim=2)
    torch.testing.assert_close(decoder(taps), decoder.head(wide))


def dense_eomt(decoder: EomtDecoder, queries: Tensor, grid: Tensor) -> Tensor:
    """``(Q, C)`` and ``(1, C, h, w)`` of one image -> ``(h w 4 ** upscaling, K)``."""
    for step in decoder.upscale:
        kernel = step.fine.weight.view(2, 2, WIDTH, WIDTH).permute(3, 2, 0, 1)  # (in, out, 2, 2)
        bias = step.fine.bias.view(4, WIDTH)[0]
        grid = functional.gelu(functional.conv_transpose2d(grid, kernel, bias, stride=2))
        grid = functional.conv2d(grid, step.blending.weight, padding=1, groups=WIDTH)
        grid = step.norm(grid.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    masks = torch.einsum("qc,chw->qhw", decoder.mask_head(queries), grid[0]).sigmoid()
    classes = decoder.class_head(queries).softmax(dim=1)[:, :-1]
    return torch.einsum("qk,qhw->hwk", classes, masks).flatten(0, 1)


def test_eomt_is_the_papers():
    queries, grid = 3, (2, 5)
    decoder = random(EomtDecoder(WIDTH, CLASSES, grid, queries, upscaling=2))
    for step in decoder.upscale:  # a transposed convolution has one bias for all four
        step.fine.bias.data = step.fine.bias.data[:WIDTH].repeat(4)
    for images in (1, 3):
        tap = packed(images, special=queries + 1)
        scores = decoder([tap])
        assert scores.shape == (images, 16 * PATCHES, CLASSES)
        for image in range(images):
            first = tap.offsets[image]
            patches = tap.tokens[tap.rows[image]].T.reshape(1, WIDTH, *grid)
            expected = dense_eomt(decoder, tap.tokens[first : first + queries], patches)
            torch.testing.assert_close(scores[image], expected, atol=1e-10, rtol=0)


def test_masks_interpolated_first_as_the_authors_do_give_nearly_the_same_labels():
    tensors, info = read_weights("demo", "eomt_t16")
    about = {"head": head_of(info), "mean": info.mean, "std": info.std}
    model = create("eomt_t16", classes=len(info.classes), blocks=(), **about)
    load_into(model, tensors, "demo", info.image_size)
    images = torch.stack([decode(path) for path in find_images(SCENES)[:2]])
    with torch.inference_mode():
        scores, _ = model(images)
        taps, _ = model.encoder(images * model.scale + model.shift)
        class_logits, mask_logits = model.decoder.predict(taps)
        masks = mask_logits.transpose(1, 2).unflatten(2, model.score_grid)  # (B, Q, h, w)
        fine = functional.interpolate(masks, info.image_size, mode="bilinear").sigmoid()
        classes = class_logits.softmax(dim=2)[:, :, :-1]
        theirs = torch.einsum("bqk,bqhw->bkhw", classes, fine).argmax(dim=1)
    assert (label_map(scores, info.image_size) == theirs).double().mean() > 0.99
