"""Where merged tokens stand best: the model that measures it, and where a crop's patches stand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.rotary_positions import MODEL, RotaryTrainer, Settings, TinyRotary
from mpm_deploy.families import ENCODERS
from mpm_deploy.models.weights.files import read_weights
from mpm_deploy.ops.attention import flash, reference


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[RotaryTrainer]:
    stripes = np.arange(12, dtype=np.uint8).repeat(43)[:512]
    np.save(tmp_path / "labels.npy", np.broadcast_to(stripes, (2, 512, 512)))
    np.save(tmp_path / "images.npy", np.zeros((2, 512, 512, 3), np.uint8))
    settings = Settings(model=MODEL, crop_batch=1, candidates=1)
    ENCODERS.add("rotary", TinyRotary)
    yield RotaryTrainer(settings, tmp_path, tmp_path / "it.safetensors", checkpoint=None)
    ENCODERS.remove("rotary")


def test_it_begins_with_the_demos_weights_without_its_positions(trainer: RotaryTrainer) -> None:
    demo, _ = read_weights("demo")
    for encoder in (trainer.model.encoder, trainer.average.encoder):
        weight = encoder.get_parameter("blocks.11.fc2.weight")
        assert torch.equal(weight, demo["encoder.blocks.11.fc2.weight"])
        assert torch.equal(encoder.special[:1], demo["encoder.special"])
        assert not encoder.position.any()


def test_the_patches_of_a_crop_stand_where_they_do_in_the_scene(
    trainer: RotaryTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flash, "attention", reference.attention)
    images, labels = torch.zeros(1, 3, 256, 256), torch.zeros(1, 256, 256, dtype=torch.int64)
    trainer._loss(images, labels, (64, 128)).backward()
    whole, crop = trainer.model.encoder.rotary, trainer.crops.twin.encoder.rotary
    window = whole.places.view(32, 32, 3)[4:20, 8:24]
    assert torch.equal(crop.places, window.reshape(-1, 3))
    assert torch.equal(crop.extent, whole.extent)
    assert trainer.model.encoder.special.grad.any()
