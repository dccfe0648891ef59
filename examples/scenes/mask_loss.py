"""Computes the loss of queries that each say one class and its mask: Mask2Former's, for semantics.

    queries 0 1 2 3 ...          Each class that an image holds is matched with one query, so that
            │   │                the sum of costs is the least; that query learns the class and its
    classes sky road             mask. All others learn to say "no object".

The paper is Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation",
CVPR 2022. Where it draws points, here every place of the masks' grid counts, and what it should say
is the share of its area that the class has.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

MASK_WEIGHT = DICE_WEIGHT = 5.0
CLASS_WEIGHT = 2.0
NO_OBJECT_WEIGHT = 0.1  # of "no object" among the classes


def area_shares(labels: Tensor, classes: int, side: int) -> Tensor:
    """Computes what share of each place's area each class has.

    Args:
        labels: (B, H, H) int64.
        classes: Number of classes K.
        side: Places down and across; the labels' side is a multiple.

    Returns:
        (B, K, S) float32 for S = side * side, row by row.
    """
    one_hot = functional.one_hot(labels, classes).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(one_hot, labels.shape[1] // side).flatten(2)


def mask_loss(class_logits: Tensor, mask_logits: Tensor, shares: Tensor) -> Tensor:
    """Computes the loss of class logits (B, Q, K + 1) and mask logits (B, S, Q).

    Args:
        class_logits: "No object" is the last.
        mask_logits: Of every place.
        shares: What `area_shares` returned, (B, K, S).
    """
    present = shares.sum(dim=2) > 0  # (B, K)
    mask_cost = mask_costs(mask_logits, shares)  # (B, Q, K)
    likely = class_logits.softmax(dim=2)[:, :, :-1]
    image, query, label = match(mask_cost - CLASS_WEIGHT * likely, present)
    target = torch.full(class_logits.shape[:2], likely.shape[2], device=class_logits.device)
    target[image, query] = label
    weights = class_logits.new_ones(class_logits.shape[2])
    weights[-1] = NO_OBJECT_WEIGHT
    class_loss = functional.cross_entropy(class_logits.transpose(1, 2), target, weights)
    return mask_cost[image, query, label].mean() + CLASS_WEIGHT * class_loss


def mask_costs(mask_logits: Tensor, shares: Tensor) -> Tensor:
    """Computes what each query's mask costs for each class, (B, Q, K): cross-entropy and Dice.

    Args:
        mask_logits: (B, S, Q).
        shares: (B, K, S).
    """
    # The cross-entropy of a logit x and a share t is softplus(x) - t x: two sums give any pair's.
    both = (shares @ mask_logits).transpose(1, 2)  # (B, Q, K)
    entropy = functional.softplus(mask_logits).sum(dim=1)[:, :, None] - both
    masks = mask_logits.sigmoid()
    overlap = (shares @ masks).transpose(1, 2)
    area = masks.sum(dim=1)[:, :, None] + shares.sum(dim=2)[:, None]
    dice = 1 - (2 * overlap + 1) / (area + 1)
    return MASK_WEIGHT * entropy / mask_logits.shape[1] + DICE_WEIGHT * dice


def match(costs: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Matches each class in an image with a query of its own.

    Args:
        costs: (B, Q, K).
        present: (B, K), whether the image holds the class.

    Returns:
        Image, query and class of each match, each (M,) int64.
    """
    matches = []
    for image, cost in enumerate(costs.detach().cpu()):
        classes = present[image].nonzero().flatten().cpu()
        queries, chosen = linear_sum_assignment(cost[:, classes].numpy())
        matches += [
            (image, query, classes[index]) for query, index in zip(queries, chosen, strict=True)
        ]
    image, query, label = torch.tensor(matches, device=costs.device).unbind(1)
    return image, query, label
