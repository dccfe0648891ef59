"""The comparison that stands between a compiled model and its file."""

import pytest
import torch

from mpm_deploy.artifact import Agreement
from mpm_deploy.builder.verify import check_agreement, same_cluster, verification_images
from mpm_deploy.errors import AgreementError
from mpm_deploy.recipe import VerifyRecipe


def test_clusters_are_compared_as_sets_whatever_their_numbers():
    one = torch.tensor([[0, 1, 0, 2, 1, 3]])
    renumbered = torch.tensor([[3, 0, 3, 1, 0, 2]])
    assert same_cluster(one, renumbered).all()


def test_a_patch_that_moved_changes_both_its_clusters():
    one = torch.tensor([[0, 1, 0, 2, 1, 3]])
    moved = torch.tensor([[0, 1, 0, 0, 1, 3]])  # patch 3 joined patches 0 and 2
    assert same_cluster(one, moved).tolist() == [[False, True, False, False, True, True]]


def test_no_merges_agree():
    assert same_cluster(torch.zeros(0, 5).int(), torch.zeros(0, 5).int()).shape == (0, 5)


def test_verification_images_are_seeded_and_all_different():
    images = verification_images(8, (64, 96))
    assert images.shape == (8, 3, 64, 96) and images.dtype == torch.uint8
    assert torch.equal(images, verification_images(8, (64, 96)))
    assert len({image.numpy().tobytes() for image in images}) == 8
    assert images.float().std() > 20


@pytest.mark.parametrize("agreement", [Agreement(8, 0.99, (1.0,)), Agreement(8, 1.0, (1.0, 0.99))])
def test_a_miss_is_an_error(agreement):
    with pytest.raises(AgreementError, match="nothing was written"):
        check_agreement(agreement, VerifyRecipe())


def test_a_full_token_model_has_no_clusters_to_miss():
    check_agreement(Agreement(8, 1.0, ()), VerifyRecipe())
