"""What the guide to checkpoints names is read, by the very names, from small files of each kind."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mpm_deploy.models.weights.files import read_weights
from tests.models import official
from tests.models.plain_eva import write_eva
from tests.models.weights.readers import test_dinov2, test_eomt
from tests.models.weights.readers.tiny import model_of, save
from tests.support.scripts import ROOT


def write_segmenter(path: Path) -> None:
    official.write_checkpoint(path.parent, "vit_tiny_patch16_384")


def write_cts(path: Path) -> None:
    official.write_checkpoint(path.parent, "vit_tiny_patch16_384", shared=2)


def write_eomt(path: Path) -> None:
    torch.save(test_eomt.as_authors_save(model_of("EoMT")), path)


def write_linear(path: Path) -> None:
    test_dinov2.write_head(path.parent, 1).rename(path)


def write_ms(path: Path) -> None:
    test_dinov2.write_head(path.parent, 4).rename(path)


SOURCES: dict[str, Callable[[Path], object]] = {
    "seg_base_mask/checkpoint.pth": write_segmenter,
    "cts/checkpoint.pth": write_cts,
    "eomt_large": lambda path: save(model_of("EoMT"), path),
    "eomt_large/pytorch_model.bin": write_eomt,
    "eva_sem_seg_mask2former_ade_ss61p5_ms62p3.pth": write_eva,
    "eva_sem_seg_mask2former_cocostuff_53p4.pth": write_eva,
    "dinov2_vits14_ade20k_linear_head.pth": write_linear,
    "dinov2_vits14_voc2012_ms_head.pth": write_ms,
    "dinov3_small": lambda path: save(model_of("DINOv3"), path),
}


def test_every_source_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "guides" / "checkpoints.md").read_text(encoding="utf-8")
    commands = re.findall(
        r"^    mpm-deploy (?:convert|build .*--weights) (\S+)", text, re.MULTILINE
    )
    assert {*commands} == {*SOURCES}
    monkeypatch.chdir(tmp_path)
    for source, write in SOURCES.items():
        Path(source).parent.mkdir(exist_ok=True)
        write(Path(source))
        read_weights(source)
