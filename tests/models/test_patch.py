"""A patched timm ViT: what it computes, whose parameters it trains, and how it comes back."""

import copy
import io

import numpy as np
import pytest
import torch

import mpm_deploy
from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.models.encoders.timm_vit import encoder_from_timm
from mpm_deploy.models.patch import _drop_path
from tests.models.encoders.test_timm_vit import PLAIN, timm_model

timm = pytest.importorskip("timm")

SIZE = (64, 96)
PATCHES = 4 * 6


def small(**options):
    """ViT-T with four blocks and two special tokens."""
    options = {"img_size": SIZE, "depth": 4, "reg_tokens": 1, "num_classes": 5} | options
    return timm_model("vit_tiny_patch16_224", **options)


def pictures(count=3):
    """Of different structure: noise, few colors, one color, and so on."""
    generator = torch.Generator().manual_seed(0)
    coarse = [(4 << index % 3, 6 << index % 3) for index in range(count)]
    images = [torch.randn(1, 3, *size, generator=generator) for size in coarse]
    return torch.cat([torch.nn.functional.interpolate(image, size=SIZE) for image in images])


@pytest.mark.parametrize("case", PLAIN)
def test_without_a_schedule_it_computes_what_timm_does(case):
    name, options = PLAIN[case]
    vit = timm_model(name, **options)
    images = torch.randn(2, 3, *vit.patch_embed.img_size)
    with torch.inference_mode():
        expected, logits = vit.forward_features(images), vit(images)
        mpm_deploy.patch(vit, blocks=())
        torch.testing.assert_close(vit.forward_features(images), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(vit(images), logits, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("case", PLAIN)
def test_with_a_schedule_it_computes_what_the_packed_encoder_does(case):
    name, options = PLAIN[case]
    vit = timm_model(name, **options)
    images = torch.randn(2, 3, *vit.patch_embed.img_size)
    schedule = sorted({0, len(vit.blocks) - 1})
    with torch.inference_mode():
        (tap,), merge_maps = encoder_from_timm(vit, schedule)(images)
        encoder = mpm_deploy.patch(vit, schedule)
        features = vit.forward_features(images)
    assert torch.equal(encoder.merge_maps, merge_maps)
    tokens, offsets = tap.tokens, tap.offsets
    assert torch.equal(encoder.tokens_kept[:, -1] + vit.num_prefix_tokens, offsets.diff())
    patches = features[:, vit.num_prefix_tokens :]
    torch.testing.assert_close(patches, tokens[tap.rows], atol=1e-5, rtol=0)
    for image, first in enumerate(offsets[:-1].tolist()):
        special = tokens[first : first + vit.num_prefix_tokens]
        actual = features[image, : vit.num_prefix_tokens]
        torch.testing.assert_close(actual, special, atol=1e-5, rtol=0)


def test_patches_of_one_token_get_equal_features():
    vit = small()
    encoder = mpm_deploy.patch(vit, (1, 3))
    with torch.inference_mode():
        features = vit.forward_features(pictures())[:, vit.num_prefix_tokens :]
    for image, merge_map in zip(features, encoder.merge_maps[:, -1], strict=True):
        for token in merge_map.unique():
            of_token = image[merge_map == token]
            assert torch.equal(of_token, of_token[:1].expand_as(of_token))


def test_images_of_a_batch_keep_what_they_keep_alone():
    vit, images = small(), pictures(4)
    encoder = mpm_deploy.patch(vit, (0, 2))
    with torch.inference_mode():
        features = vit.forward_features(images)
        kept = encoder.tokens_kept
        assert len(kept[:, -1].unique()) > 1, "the images were meant to keep different numbers"
        for index, image in enumerate(images.split(1)):
            alone = vit.forward_features(image)
            torch.testing.assert_close(features[index], alone[0], atol=1e-5, rtol=0)
            assert torch.equal(encoder.tokens_kept[0], kept[index])


def test_the_parameters_are_the_models_own():
    vit = small()
    names, modules = list(vit.state_dict()), list(vit.modules())
    encoder = mpm_deploy.patch(vit, (1, 2))
    theirs, ours = list(vit.parameters()), list(encoder.parameters())
    assert len(ours) == len(theirs)
    assert all(own is other for own, other in zip(ours, theirs, strict=True))
    assert list(vit.state_dict()) == names
    assert all(own is other for own, other in zip(vit.modules(), modules, strict=True))


@pytest.mark.parametrize("train_by", ["model", "encoder"])
def test_training_one_trains_the_other(train_by):
    vit, images = small(), pictures()
    encoder = mpm_deploy.patch(vit, (1, 2))
    before = vit.forward_features(images).detach()
    trained = vit if train_by == "model" else encoder
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    (
        vit.forward_features(images) if trained is vit else encoder(images)[0]
    ).square().sum().backward()
    unused = [name for name, weight in vit.named_parameters() if weight.grad is None]
    assert unused == ["head.weight", "head.bias"]
    optimizer.step()
    after = vit.forward_features(images).detach()
    assert not torch.allclose(before, after, atol=1e-2)
    with torch.inference_mode():  # a copy of the weights as they are now
        (tap,), _ = encoder_from_timm(vit, (1, 2))(images)
    torch.testing.assert_close(after[:, 2:], tap.tokens[tap.rows], atol=1e-4, rtol=1e-4)


def test_gradients_are_those_of_the_difference():
    """Along a random direction, in float64; a step of 1e-6 leaves 1e-9 of rounding."""
    vit, images = small().double(), pictures().double()
    mpm_deploy.patch(vit, (1, 2))
    weights = list(vit.parameters())
    generator = torch.Generator().manual_seed(1)
    steps = [1e-6 * torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in weights]

    def loss():
        return vit.forward_features(images).pow(3).mean()

    def moved(by):
        with torch.no_grad():
            for weight, step in zip(weights, steps, strict=True):
                weight.add_(step, alpha=by)
            value = loss()
            for weight, step in zip(weights, steps, strict=True):
                weight.sub_(step, alpha=by)
        return value

    loss().backward()
    expected = sum(
        (w.grad * s).sum() for w, s in zip(weights, steps, strict=True) if w.grad is not None
    )
    assert (moved(1) - moved(-1)).item() / 2 == pytest.approx(expected.item(), rel=1e-4)


def test_gradients_without_a_schedule_are_timms():
    vit, images = small(), pictures()
    vit.forward_features(images).square().mean().backward()
    expected = {name: w.grad.clone() for name, w in vit.named_parameters() if w.grad is not None}
    vit.zero_grad()
    mpm_deploy.patch(vit, ())
    vit.forward_features(images).square().mean().backward()
    for name, weight in vit.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, expected[name], atol=1e-5, rtol=1e-3)


def test_checkpointed_gradients_are_the_same():
    vit, images = small(drop_path_rate=0.5).train(), pictures()
    mpm_deploy.patch(vit, (1, 2))
    gradients = []
    for enabled in (False, True):
        vit.set_grad_checkpointing(enabled)
        vit.zero_grad()
        torch.manual_seed(3)
        vit.forward_features(images).square().mean().backward()
        gradients.append(vit.patch_embed.proj.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_stochastic_depth_drops_images_as_in_timm():
    vit, images = small(drop_path_rate=0.5, proj_drop_rate=0.1).train(), pictures(6)
    torch.manual_seed(0)
    expected = vit.forward_features(images)
    mpm_deploy.patch(vit, ())
    torch.manual_seed(0)
    torch.testing.assert_close(vit.forward_features(images), expected, atol=1e-5, rtol=1e-5)


def test_stochastic_depth_drops_all_of_a_merged_image_or_nothing():
    vit, images = small(), pictures(8)
    vit.norm = torch.nn.Identity()
    last = vit.blocks[-1]
    last.mlp.fc2.weight.data.zero_()  # so that the last block is attention alone
    last.mlp.fc2.bias.data.zero_()
    mpm_deploy.patch(vit, (1, 2))
    with torch.inference_mode():
        kept = vit.forward_features(images)
        last.drop_path1 = timm.layers.DropPath(0.0, scale_by_keep=False)
        last.drop_path1.drop_prob = 1.0
        dropped = vit.train().forward_features(images)
        last.drop_path1.drop_prob = 0.5
        torch.manual_seed(0)
        features = vit.forward_features(images)
    found = [
        (torch.allclose(image, with_it, atol=1e-5), torch.allclose(image, without, atol=1e-5))
        for image, with_it, without in zip(features, kept, dropped, strict=True)
    ]
    assert set(found) == {(True, False), (False, True)}


def test_dropping_a_branch_reads_nothing_of_the_device():
    """Numbers on the meta device cannot be read, and a GPU would have to be waited for."""
    drop = timm.layers.DropPath(0.5).train()
    branch = torch.empty(7, 3, device="meta")
    offsets = torch.empty(3, dtype=torch.int32, device="meta")
    assert _drop_path(drop, branch, offsets).shape == (7, 3)


def test_unpatch_brings_back_the_same_bits():
    vit, images = small(), pictures()
    with torch.inference_mode():
        features, logits = vit.forward_features(images), vit(images)
        mpm_deploy.patch(vit, (1, 2))
        assert not torch.equal(vit(images), logits)
        mpm_deploy.unpatch(vit)
        assert torch.equal(vit.forward_features(images), features)
        assert torch.equal(vit(images), logits)
    assert "forward_features" not in vars(vit)
    with pytest.raises(ModelError, match="expected a patched model"):
        mpm_deploy.unpatch(vit)


def test_patching_again_changes_the_schedule():
    vit, images = small(), pictures()
    mpm_deploy.patch(vit, (1, 2))
    encoder = mpm_deploy.patch(vit, (0, 1, 3))
    with torch.inference_mode():
        vit(images)
    assert encoder.merge_maps.shape == (3, 3, PATCHES)
    mpm_deploy.unpatch(vit)
    assert "forward_features" not in vars(vit)


def test_a_deep_copy_is_patched_by_itself():
    """As for a moving average of the weights."""
    vit, images = small(), pictures()
    mpm_deploy.patch(vit, (1, 2))
    average = copy.deepcopy(vit)
    with torch.inference_mode():
        features = vit.forward_features(images)
        average.patch_embed.proj.weight.zero_()
        assert torch.equal(vit.forward_features(images), features)
        assert not torch.equal(average.forward_features(images), features)
    mpm_deploy.unpatch(average)
    assert "forward_features" in vars(vit)


def test_a_saved_model_comes_back_patched():
    vit, images = small(), pictures()
    mpm_deploy.patch(vit, (1, 2))
    file = io.BytesIO()
    torch.save(vit, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    with torch.inference_mode():
        assert torch.equal(loaded(images), vit(images))
    mpm_deploy.unpatch(loaded)


def test_sizes_may_differ_from_call_to_call_where_timm_allows_it():
    vit = small(dynamic_img_size=True)
    with torch.inference_mode():
        larger = torch.randn(2, 3, 96, 128)
        expected = vit.forward_features(larger)
        mpm_deploy.patch(vit, ())
        torch.testing.assert_close(vit.forward_features(larger), expected, atol=1e-5, rtol=0)
        encoder = mpm_deploy.patch(vit, (1, 2))
        assert vit.forward_features(larger).shape == expected.shape
        assert encoder.merge_maps.shape == (2, 2, 6 * 8)


def test_autocast_does_not_change_the_pairs():
    """Of a picture nearly without structure: in bfloat16 its patches would be equally similar."""
    vit = small(img_size=(160, 160))
    with torch.no_grad():
        vit.pos_embed.mul_(0.01)
    images = 1 + 0.02 * torch.randn(3, 3, 160, 160)
    encoder = mpm_deploy.patch(vit, (0,))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        features = vit.forward_features(images)
        tokens = vit._pos_embed(vit.patch_embed(images)).flatten(0, 1)
    assert features.isfinite().all()
    offsets = torch.arange(4, dtype=torch.int32) * (100 + 2)
    _, rows, merged_offsets = mpm_deploy.mutual_pair_merge(tokens, offsets, special_tokens=2)
    expected = rows.view(3, -1)[:, 2:] - merged_offsets[:-1, None] - 2
    assert torch.equal(encoder.merge_maps[:, 0], expected.int())


def test_trains_under_autocast():
    """Also with qk-norm, whose norms give float32 there and values are bfloat16."""
    vit = small(qk_norm=True).train()
    mpm_deploy.patch(vit, (1, 2))
    with torch.autocast("cpu", torch.bfloat16):
        loss = vit.forward_features(pictures()).square().mean()
    loss.backward()
    assert vit.patch_embed.proj.weight.grad.isfinite().all()
    assert vit.patch_embed.proj.weight.grad.abs().sum() > 0


def test_tokens_kept_of_no_batch_are_an_error():
    with pytest.raises(InputError, match="tokens_kept"):
        _ = mpm_deploy.patch(small(), (1,)).tokens_kept


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("eva02_tiny_patch14_224", {}, "rope"),
        ("vit_small_patch16_dinov3", {"depth": 1}, "got `EvaBlock`"),
        ("swin_tiny_patch4_window7_224", {}, "SwinTransformer"),
        ("resnet18", {}, "ResNet"),
    ],
)
def test_other_models_are_refused_as_they_are(name, options, part):
    model = timm_model(name, **options)
    with pytest.raises(ModelError, match=part):
        mpm_deploy.patch(model)
    assert "forward_features" not in vars(model)


@pytest.mark.parametrize("schedule", [(2, 1), (4,), (-1,), (1, 1)])
def test_a_schedule_must_fit(schedule):
    vit = small()
    with pytest.raises(ModelError, match="rising block numbers from 0 to 3"):
        mpm_deploy.patch(vit, schedule)
    assert "forward_features" not in vars(vit)


@pytest.mark.parametrize("block", [1.5, 1.0, True, "1", None])
def test_blocks_are_whole_numbers(block):
    with pytest.raises(InputError, match=r"blocks\[1\]: expected a whole number, got "):
        mpm_deploy.patch(small(), (0, block))


def test_a_lone_block_is_no_schedule():
    with pytest.raises(InputError, match="blocks: expected a list, got 2"):
        mpm_deploy.patch(small(), 2)


def test_blocks_of_an_array_are_pythons():
    encoder = mpm_deploy.patch(small(), np.array([1, 2]))
    assert encoder.schedule == [1, 2] and {type(block) for block in encoder.schedule} == {int}


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (torch.zeros(2, 4, *SIZE), "(2, 4, 64, 96) torch.float32"),
        (torch.zeros(3, *SIZE), "(3, 64, 96) torch.float32"),
        (torch.zeros(2, *SIZE, 3), "(2, 64, 96, 3) torch.float32"),
        (torch.zeros(2, 3, 65, 96), "(2, 3, 65, 96) torch.float32"),
        (torch.zeros(2, 3, *SIZE, dtype=torch.uint8), "(2, 3, 64, 96) torch.uint8"),
        (torch.zeros(2, 3, *SIZE, dtype=torch.float64), "(2, 3, 64, 96) torch.float64"),
        (np.zeros((2, 3, *SIZE), np.float32), "ndarray"),
    ],
)
def test_images_of_another_shape_or_type_are_named(images, got):
    vit = small()
    mpm_deploy.patch(vit, (1,))
    with pytest.raises(InputError) as caught:
        vit(images)
    assert caught.value.problem == f"images: expected (B, 3, 64, 96) torch.float32, got {got}"
    assert "normalized" in caught.value.hint


def test_sides_of_any_size_are_still_multiples_of_the_patch_size():
    vit = small(dynamic_img_size=True)
    mpm_deploy.patch(vit, (1,))
    problem = r"expected \(B, 3, H, W\) torch\.float32, got \(2, 3, 65, 96\)"
    with pytest.raises(InputError, match=problem) as caught:
        vit(torch.zeros(2, 3, 65, 96))
    assert "multiples of 16" in caught.value.hint
    padding = small(dynamic_img_size=True, dynamic_img_pad=True)
    mpm_deploy.patch(padding, (1,))
    assert padding.forward_features(torch.randn(2, 3, 65, 96)).shape == (2, 1 + 1 + 5 * 6, 192)


def test_an_empty_batch_is_refused():
    vit = small()
    mpm_deploy.patch(vit, (1,))
    with pytest.raises(InputError, match="images: expected one image or more, got an empty batch"):
        vit(torch.zeros(0, 3, *SIZE))


def test_nothing_is_no_patched_model():
    with pytest.raises(ModelError, match="NoneType: expected a patched model"):
        mpm_deploy.unpatch(None)


def test_what_others_put_in_place_is_not_lost():
    vit = small()
    vit.forward_features = lambda images: images
    with pytest.raises(ModelError, match="forward_features"):
        mpm_deploy.patch(vit, (1,))
    with pytest.raises(ModelError, match="not"):
        mpm_deploy.unpatch(vit)


def test_a_class_with_a_way_of_its_own_is_refused():
    class Other(timm.models.VisionTransformer):
        def forward_features(self, images):
            return super().forward_features(images) * 2

    with pytest.raises(ModelError, match="`forward_features` of its own"):
        mpm_deploy.patch(Other(img_size=32, depth=1), ())


def test_a_mask_is_refused():
    vit = small()
    mpm_deploy.patch(vit, (1,))
    with pytest.raises(ModelError, match="mask"):
        vit.forward_features(pictures(), attn_mask=torch.ones(1))


def test_attention_dropout_is_refused_while_training_only():
    vit = small(attn_drop_rate=0.1)
    mpm_deploy.patch(vit, (1,))
    vit.forward_features(pictures())
    with pytest.raises(ModelError, match="attention dropout"):
        vit.train().forward_features(pictures())
