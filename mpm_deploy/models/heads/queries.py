"""Turn what queries say of an image, their classes and their masks, into scores of its places."""

from torch import Tensor


def semantic_scores(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    """Return class scores, which are from 0 up, of what queries say.

    A score is the sum over queries of the share of a class among the query's classes times the
    probability that the place is in its mask.

    Args:
        class_logits: ``(B, Q, K + 1)``, "no object" last.
        mask_logits: ``(B, S, Q)``.

    Returns:
        ``(B, S, K)``.
    """
    return mask_logits.sigmoid() @ class_logits.softmax(dim=2)[:, :, :-1]
