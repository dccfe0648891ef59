"""Row bookkeeping against a loop over images."""

import pytest
import torch

from mpm_deploy.models.packing import image_local, replace_special


@pytest.mark.parametrize("lengths", [(5,), (5, 3, 4), (2, 2), (7, 2, 9, 3)])
@pytest.mark.parametrize("special", [0, 1, 2])
@pytest.mark.parametrize("front_rows", [0, 1, 4])
def test_replace_special_is_a_concatenation_an_image(lengths, special, front_rows):
    offsets = torch.tensor([0, *torch.tensor(lengths).cumsum(0)], dtype=torch.int32)
    tokens = torch.randn(sum(lengths), 3)
    front = torch.randn(front_rows, 3)
    rows, new_offsets = replace_special(tokens, offsets, special, front)
    expected = [torch.cat([front, image[special:]]) for image in tokens.split(lengths)]
    assert torch.equal(rows, torch.cat(expected))
    assert new_offsets.dtype == torch.int32
    assert new_offsets.diff().tolist() == [len(image) for image in expected]


def test_image_local_counts_from_each_images_first_patch():
    offsets = torch.tensor([0, 4, 9], dtype=torch.int32)
    rows = torch.tensor([[1, 2, 3], [5, 8, 6]])
    assert image_local(rows, offsets, 1).tolist() == [[0, 1, 2], [0, 3, 1]]
