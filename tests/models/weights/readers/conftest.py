"""Small ViTs have names here, so that a reader finds them."""

from collections.abc import Iterator

import pytest

from mpm_deploy.families import ENCODERS
from tests.models.weights.readers.tiny_vits import TinyVits


@pytest.fixture(autouse=True)
def tiny_vits() -> Iterator[None]:
    ENCODERS.add("tiny", TinyVits)
    yield
    ENCODERS.remove("tiny")
