"""Trains CTS on the scenes: a policy from nothing, then the Segmenter demo with tokens shared.

    python examples/scenes/make_dataset.py training --output /tmp/scenes --count 5000
    python examples/scenes/train_cts.py --data /tmp/scenes --output demo_cts.safetensors

In the first stage the policy learns on crops which squares of 32 × 32 pixels are of one class. In
the second it stays as it is, and the demo learns on whole scenes to do with the tokens that are
left. Of the demo only a part is trained, what a shared token meets first and all small vectors:
the weights hold that and the policy, and the demo's hold the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from generator import SIZE, scene
from torch import Tensor, nn
from torch.nn import functional
from train import MEAN, STD, VALIDATION_SEED, Settings, Trainer, main, warm_cosine

from mpm_deploy.models.heads import Head
from mpm_deploy.models.reductions import Cts
from mpm_deploy.models.reductions.cts_policy import STRIDE, Policy, policy_network
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.checks import of_reduction
from mpm_deploy.models.weights.files import DEMO_WEIGHTS, read_weights
from mpm_deploy.models.zoo import create

# Parts of the names of what is trained of the demo, besides vectors.
TUNED = ("patch_embed", "position", "special", "encoder.blocks.0.", "cls_emb", "decoder.proj_")


@dataclass(frozen=True)
class CtsSettings(Settings):
    """The settings of train.py, and those of sharing: crops are the policy's stage."""

    shared: int = 103  # of 256 superpatches, the paper's number at this size
    crop_minutes: float = 60.0
    whole_minutes: float = 55.0
    crop_batch: int = 32
    candidates: int = 1
    save_minutes: float = 10.0
    matrix_rate: float = 1e-3
    vector_rate: float = 2e-4
    policy_rate: float = 2e-3  # AdamW's peak
    policy_decay: float = 1e-3  # the authors'

    def rate_share(self, elapsed: float) -> float:
        """Returns the share of the peak rates; each stage has a schedule of its own."""
        whole = elapsed >= self.crop_minutes
        begin, minutes = (
            (self.crop_minutes, self.whole_minutes) if whole else (0.0, self.crop_minutes)
        )
        return warm_cosine(elapsed - begin, minutes, self.warmup_minutes, self.final_share)


def one_class(labels: Tensor) -> Tensor:
    """Tells which superpatches are of one class: (B, H, W) -> (B, H / 32, W / 32) int64."""
    pixels = labels[:, None].float()
    highest = functional.max_pool2d(pixels, STRIDE)
    lowest = -functional.max_pool2d(-pixels, STRIDE)
    return (highest == lowest)[:, 0].long()


class CtsTrainer(Trainer):
    """A policy in training, and then the demo that shares by it."""

    SETTINGS = CtsSettings
    SCRIPT = "train_cts.py"
    settings: CtsSettings

    def __init__(
        self, settings: CtsSettings, data: Path, output: Path, checkpoint: Path | None
    ) -> None:
        super().__init__(settings, data, output, checkpoint)
        self.policy = policy_network().to(self.device, memory_format=torch.channels_last).train()
        policy_optimizer = torch.optim.AdamW(
            self.policy.parameters(), settings.policy_rate, weight_decay=settings.policy_decay
        )
        policy_optimizer.param_groups[0]["initial_lr"] = settings.policy_rate
        self.optimizers.append(policy_optimizer)
        self.shares = False  # by the policy, as it is at the end of its stage

    def _new_model(self, size: int, head: Head | None = None) -> Segmenter:
        model = create(
            self.settings.model,
            classes=self.settings.classes,
            image_size=(size, size),
            blocks=(0,),
            method=Cts(self.settings.shared).scaled((size / SIZE) ** 2),
            head=head,
            mean=MEAN,
            std=STD,
        )
        return model.to(self.device)

    def _initialize(self) -> None:
        """Takes the weights of the demo, and trains a part of them."""
        self.model.load_state_dict(read_weights(DEMO_WEIGHTS)[0], strict=False)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(is_tuned(name, parameter))

    def _step(self) -> float:
        if not self.shares and self.elapsed >= self.settings.crop_minutes:
            self._share()
        return super()._step()

    def _share(self) -> None:
        """Puts the policy, as it is now, into the model and its average."""
        weights = Policy(self.policy).state_dict()
        for model in (self.model, self.average):
            model.encoder.blocks[0].reduction.policy.load_state_dict(weights)
        self.shares = True

    def _loss(self, images: Tensor, labels: Tensor, corner: tuple[int, int]) -> Tensor:
        if self.shares:
            return super()._loss(images, labels, corner)
        pixels = images * self.model.scale + self.model.shift
        logits = self.policy(pixels.contiguous(memory_format=torch.channels_last))
        return functional.cross_entropy(logits, one_class(labels))

    def _save(self) -> None:
        """Says how well the policy calls, and in the second stage saves as train.py does."""
        if not self.shares:
            self._share()
            self.shares = self.elapsed >= self.settings.crop_minutes
        calls = call(self.average, *validation_scenes(self.device))
        print(f"{self.elapsed:6.2f} min  {calls}", flush=True)
        super()._save()

    def about(self) -> dict[str, object]:
        merge = {"method": "cts", "blocks": [0], "shared": self.settings.shared}
        return super().about() | {"base": "demo", "merge": merge}

    def state(self) -> dict[str, object]:
        return super().state() | {"policy": self.policy.state_dict()}

    def resume(self, checkpoint: Path) -> None:
        super().resume(checkpoint)
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        self.policy.load_state_dict(state["policy"])
        self.shares = self.elapsed >= self.settings.crop_minutes  # the model has it by now


def is_tuned(name: str, parameter: nn.Parameter) -> bool:
    """Tells whether a parameter of the demo is trained; the policy has its own stage."""
    return not of_reduction(name) and (parameter.dim() == 1 or any(map(name.count, TUNED)))


@dataclass(frozen=True)
class Calls:
    """How well a policy calls superpatches, as shares from 0 to 1.

    Args:
        right: Of all superpatches, those rightly called of one class or of several.
        shared_right: Of those that are shared, those of one class.
        one_class: Of all superpatches, those of one class: what calling nothing would reach.
    """

    right: float
    shared_right: float
    one_class: float

    def __str__(self) -> str:
        return (
            f"superpatches rightly called {self.right:.4f}, of those shared "
            f"{self.shared_right:.4f} are of one class, of all {self.one_class:.4f}"
        )


def call(model: Segmenter, images: Tensor, labels: Tensor) -> Calls:
    """Counts how a model's policy calls images (B, 3, H, W) with labels (B, H, W)."""
    sharing = model.encoder.blocks[0].reduction
    with torch.inference_mode():
        scores = torch.cat(
            [sharing.policy(each * model.scale + model.shift) for each in images.split(1)]
        )  # (B, superpatches)
    truth = one_class(labels).flatten(1) == 1
    chosen = scores.topk(sharing.shared, dim=1).indices
    return Calls(
        right=((scores > 0) == truth).float().mean().item(),
        shared_right=truth.gather(1, chosen).float().mean().item(),
        one_class=truth.float().mean().item(),
    )


def validation_scenes(device: torch.device, count: int = 24) -> tuple[Tensor, Tensor]:
    """Returns images (B, 3, H, W) and labels (B, H, W) that are neither trained on nor held out."""
    images, labels = zip(*_scenes(count), strict=True)
    return torch.stack(images).to(device), torch.stack(labels).to(device)


def _scenes(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + count):
        image, labels = scene(seed)
        yield torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(labels)


if __name__ == "__main__":
    main(kind=CtsTrainer, description=__doc__)
