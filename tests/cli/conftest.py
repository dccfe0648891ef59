"""What tests of several commands need."""

from pathlib import Path

import pytest


@pytest.fixture
def mixed_folder(image_folder: Path, tmp_path: Path) -> Path:
    """Good images, and one that is a text."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for image in image_folder.iterdir():
        (folder / image.name).write_bytes(image.read_bytes())
    (folder / "broken.png").write_text("not a picture")
    return folder
