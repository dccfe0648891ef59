"""Row bookkeeping against a loop over images."""

import pytest
import torch

from mpm_deploy.models.packing import image_local, put_in_front, replace_special, unmerged
from mpm_deploy.models.reductions import Packed


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


def merged() -> Packed:
    """Two images of one special token and three patches, of which the first merged two."""
    tokens = torch.arange(7.0)[:, None]
    rows = torch.tensor([[1, 2, 1], [4, 5, 6]])
    return Packed(tokens, torch.tensor([0, 3, 7], dtype=torch.int32), 4, rows, 1)


def test_rows_in_front_are_special_and_leave_patches_where_they_were():
    packed, front = merged(), torch.tensor([[-1.0], [-2.0]])
    longer = put_in_front(packed, front)
    assert longer.tokens.flatten().tolist() == [-1, -2, 0, 1, 2, -1, -2, 3, 4, 5, 6]
    assert longer.offsets.tolist() == [0, 5, 11]
    assert (longer.max_length, longer.special_tokens) == (6, 3)
    assert torch.equal(longer.tokens[longer.rows], packed.tokens[packed.rows])


def test_unmerged_gives_every_patch_a_row_of_its_own():
    whole = unmerged(merged())
    assert whole.tokens.flatten().tolist() == [0, 1, 2, 1, 3, 4, 5, 6]
    assert whole.offsets.tolist() == [0, 4, 8]
    assert whole.rows.tolist() == [[1, 2, 3], [5, 6, 7]]
    assert (whole.max_length, whole.special_tokens) == (4, 1)
