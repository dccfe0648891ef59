"""Trains the EoMT demo, a ViT-T/16 at 512 pixels, from the encoder of the Segmenter demo.

    python examples/scenes/make_dataset.py training --output /tmp/scenes --count 3000
    python examples/scenes/train_eomt.py --data /tmp/scenes --output demo_eomt.safetensors

It goes as train.py does, by the same two stages. The loss is Mask2Former's, which EoMT took over:
each class in an image is matched with the query that says it best (`mask_loss.py`). One term is
added, the loss of train.py on the scores that come out in the end, so that a small model learns in
little time.

The authors limit in training what a query attends to, and lift that limit step by step. Here
there is none from the beginning, as there is none when the model is run.
"""

from dataclasses import dataclass

import torch
from mask_loss import area_shares, mask_loss
from torch import Tensor
from train import MEAN, STD, CropModel, Settings, Trainer, at_half_size, loss_of, main

from mpm_deploy.models.heads.eomt import EomtDecoder, EomtHead
from mpm_deploy.models.heads.queries import semantic_scores
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import DEMO_WEIGHTS, read_weights


@dataclass(frozen=True)
class EomtSettings(Settings):
    """The settings of train.py, and EoMT's own."""

    model: str = "eomt_t16"
    queries: int = 36  # three for each class: matching has some to choose from
    crop_minutes: float = 52.0
    whole_minutes: float = 30.0
    crop_batch: int = 8
    whole_batch: int = 3
    search_minutes: float = 0.0
    save_minutes: float = 8.0
    matrix_rate: float = 2e-3
    score_weight: float = 1.0  # weight of the loss on the scores


class MaskPredictor(Segmenter):
    """A model seen from before its queries' answers are summed up."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns class logits (B, Q, K + 1) and mask logits (B, S, Q)."""
        taps, _ = self.encoder(images * self.scale + self.shift)
        return self.decoder.predict(taps)


def predictor(model: Segmenter) -> MaskPredictor:
    """Returns the same model, with the same weights, as a `MaskPredictor`."""
    return MaskPredictor(model.encoder, model.decoder, MEAN, STD)


class EomtTrainer(Trainer):
    """An EoMT in training."""

    SETTINGS = EomtSettings
    SCRIPT = "train_eomt.py"
    settings: EomtSettings

    def _new_model(self, size: int) -> Segmenter:
        return super()._new_model(size, EomtHead(queries=self.settings.queries))

    def _new_crops(self, twin: Segmenter) -> CropModel:
        return CropModel(predictor(self.model), predictor(twin))

    def _initialize(self) -> None:
        """Takes the encoder of the Segmenter demo; sets quiet masks and queries that differ."""
        tensors, _ = read_weights(DEMO_WEIGHTS)
        encoder = {name: tensor for name, tensor in tensors.items() if name.startswith("encoder.")}
        self.model.load_state_dict(encoder, strict=False)
        initialize_head(self.model.decoder)
        with torch.no_grad():
            # Rows that they meet in block 8 have a deviation of about 33.
            self.model.encoder.queries.normal_(std=3.0)

    def _loss(self, images: Tensor, labels: Tensor, corner: tuple[int, int]) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            class_logits, mask_logits = self.crops(images, corner)
        class_logits, mask_logits = class_logits.float(), mask_logits.float()
        side = round(mask_logits.shape[1] ** 0.5)
        shares = area_shares(labels, self.settings.classes, side)
        loss = mask_loss(class_logits, mask_logits, shares)
        scores = semantic_scores(class_logits, mask_logits)  # (B, S, K)
        scores = scores.transpose(1, 2).unflatten(2, (side, side))
        scores, labels = at_half_size(scores, labels)
        logits = scores.clamp(min=1e-6).log()  # their softmax is each class's share of the scores
        return loss + self.settings.score_weight * loss_of(
            logits, labels, self.class_weights, self.settings.dice
        )

    def about(self) -> dict[str, object]:
        return super().about() | {"head": {"queries": self.settings.queries}}


def initialize_head(decoder: EomtDecoder) -> None:
    """Sets weights of unit gain, and masks that say little at first."""
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
        decoder.mask_head[-1].weight *= 0.1


if __name__ == "__main__":
    main(kind=EomtTrainer, description=__doc__)
