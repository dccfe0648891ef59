"""The overlay example writes a picture of each image's size."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.scripts import load_script


def test_each_image_gets_an_overlay(
    artifact: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["overlay.py", str(artifact), str(image_folder), "-o", str(tmp_path / "overlays")]
    monkeypatch.setattr(sys, "argv", arguments)
    load_script("examples/overlay.py").main()
    for image in image_folder.iterdir():
        with (
            Image.open(image) as original,
            Image.open(tmp_path / "overlays" / f"{image.stem}.png") as overlay,
        ):
            assert overlay.size == original.size
            assert overlay.mode == "RGB"
