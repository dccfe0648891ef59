"""What is held against transformers: its models as written, images of one size, and the page."""

from pathlib import Path

import pytest
import torch

from benchmarks.bench.transformers_models import MODELS
from benchmarks.pages import common
from benchmarks.pages import transformers as page
from benchmarks.transformers_agreement import prepared
from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.models.zoo import find_model

FULL = {
    "model": "eomt_s16",
    "images": 4,
    "deviation_of_scores": 0.25,
    "largest_difference": 3.1e-6,
    "clear_pixels": 0.993,
    "Python_labels_equal": 0.99999,
    "C++_labels_equal": 0.99999,
    "Python_clear_equal": 1.0,
    "C++_clear_equal": 0.9,
}
MERGED = {
    "model": "eomt_s16",
    "images": 4,
    "blocks": [2, 5],
    "tokens_kept": [986.0, 968.4],
    "late_to_early": 1e-7,
    "alone_to_batch": 2e-7,
    "programs_equal_images": 3,
}
RECORD = {
    "machine": {"cpu": "a processor", "cores": 2},
    "versions": {"torch": "2.99"},
    "transformers": "5.0",
    "commit": "abc",
    "recipe": "cpu_fp32",
    "full_token": [FULL],
    "merged": [MERGED],
}


def test_a_page_says_the_worst_of_both_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "records", lambda name: [Path(name)])
    monkeypatch.setattr(common, "read", lambda path: RECORD)
    ((path, text),) = page.pages().items()
    assert path.name == "transformers.md"
    assert "3.1e-06" in text and "90.0000% (99.3%)" in text
    assert "986 → 968" in text and "3 of 4" in text and "transformers 5.0" in text


def test_images_are_the_same_as_tensors_and_as_files(tmp_path: Path) -> None:
    images = prepared(70, 2, tmp_path / "images")
    assert images.size == (70, 70)
    files = [decode(path) for path in find_images(images.folder)]
    assert torch.equal(torch.stack(files), images.batch)


def test_models_of_transformers_have_a_name_here() -> None:
    for model in MODELS.values():
        named = dict(each.split("=") for each in model.head)
        if named:
            find_model(f"{named['model.backbone']}+{named['model.head']}")
