"""The whole model: both ways to reconstruct say the same, and pixels are normalized inside."""

import pytest
import torch

from mpm_deploy.errors import ModelError
from mpm_deploy.models import create
from mpm_deploy.models.zoo import find_model

SIZE = (96, 128)


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, *SIZE), generator=generator, dtype=torch.uint8)


def spread(model: torch.nn.Module) -> None:
    """Larger weights than at the start of a training, so that attention is not uniform."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("seg_t16_mask", (2,)),
        ("seg_t16_mask", (2, 5)),
        ("seg_t16_mask", (1, 3, 6, 8)),
        ("seg_t16_linear", (2, 5)),
        ("seg_deit_b16_mask", (2, 5)),
    ],
)
def test_late_reconstruction_is_exact(images, name, blocks):
    late, early = (
        create(
            name,
            classes=7,
            image_size=SIZE,
            blocks=blocks,
            reconstruct=reconstruct,
        )
        for reconstruct in ("after_decoder", "before_decoder")
    )
    spread(late)
    early.load_state_dict(late.state_dict())
    with torch.inference_mode():
        scores, merge_maps = late.double()(images)
        expected, expected_maps = early.double()(images)
    assert torch.equal(merge_maps, expected_maps)
    # The scores leave the model as float32, so this is one rounding of it.
    torch.testing.assert_close(scores, expected, atol=1e-6, rtol=0)


def test_late_reconstruction_agrees_in_float32(images):
    late = create("seg_t16_mask", classes=150, image_size=SIZE)
    early = create("seg_t16_mask", classes=150, image_size=SIZE, reconstruct="before_decoder")
    with torch.inference_mode():
        scores, expected = late(images)[0], early(images)[0]
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)
    assert (scores.argmax(1) == expected.argmax(1)).float().mean() >= 0.9999


def test_normalization_is_inside(images):
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    model = create("seg_t16_linear", classes=3, image_size=SIZE, blocks=(), mean=mean, std=std)
    shape = (1, 3, 1, 1)
    by_hand = (images / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    torch.testing.assert_close(images * model.scale + model.shift, by_hand, atol=1e-6, rtol=0)


def test_an_image_of_no_whole_patches_is_padded_around_with_zeros(images):
    # 0.4 is 102 / 255, so that level of all channels is a zero once it is normalized.
    head = {"classes": 3, "blocks": (2,), "mean": (0.4,) * 3, "std": (0.2,) * 3}
    padded = create("seg_t16_linear", image_size=(61, 70), pad="center", **head)
    whole = create("seg_t16_linear", image_size=(64, 80), **head)
    assert (padded.image_size, padded.grid, padded.score_grid) == ((61, 70), (4, 5), (4, 5))
    odd = images[:, :, :61, :70]
    around = torch.full((3, 3, 64, 80), 102, dtype=torch.uint8)
    around[:, :, 1:62, 5:75] = odd  # the smaller half lies above, as DINOv2's CenterPadding has it
    with torch.inference_mode():
        scores, maps = padded(odd)
        expected_scores, expected_maps = whole(around)
    assert torch.equal(maps, expected_maps)
    torch.testing.assert_close(scores, expected_scores, atol=1e-5, rtol=0)


def test_whole_patches_are_not_padded():
    assert not create("seg_t16_linear", classes=3, image_size=SIZE, pad="center").pads
    dinov2 = find_model("vit_small_patch14_dinov2+linear")
    assert dinov2.whole_patches((512, 512)) == (518, 518)
    assert dinov2.whole_patches((518, 14)) == (518, 14)


def test_an_image_of_no_whole_patches_is_refused_unless_it_is_to_be_padded():
    with pytest.raises(ModelError, match="patch size 16, got 61 x 70") as caught:
        create("seg_t16_linear", classes=3, image_size=(61, 70))
    assert "set input.pad to 'center'" in caught.value.hint


def test_an_unknown_way_to_reconstruct_is_refused():
    with pytest.raises(ModelError, match="reconstruct"):
        create("seg_t16_linear", classes=3, image_size=SIZE, reconstruct="never")


def test_an_unknown_model_is_refused():
    with pytest.raises(ModelError, match="seg_x16_mask"):
        create("seg_x16_mask", classes=3)
