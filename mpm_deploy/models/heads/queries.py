"""Turn what queries say of an image, their classes and their masks, into scores of its places."""

from torch import Tensor

from mpm_deploy.artifact import ScoreKind
from mpm_deploy.models.heads.base import Decoder
from mpm_deploy.models.reductions import Packed


class QueryDecoder(Decoder):
    """A decoder whose queries say which class they are and where: its scores are from 0 up."""

    score_kind: ScoreKind = "probabilities"

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        class_logits, mask_logits = self.predict(taps)
        return semantic_scores(class_logits, mask_logits)

    def predict(self, taps: list[Packed]) -> tuple[Tensor, Tensor]:
        """Return what the queries say, which is what training compares with the truth.

        Returns:
            ``class_logits (B, Q, K + 1)``, "no object" last, and ``mask_logits (B, S, Q)``.
        """
        raise NotImplementedError


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
