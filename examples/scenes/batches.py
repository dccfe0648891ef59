"""Makes training batches: crops of what make_dataset.py wrote, mirrored and tinted at random."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PATCH = 16


class Batches:
    """Endless batches from a folder with images.npy and labels.npy.

    Every image of a batch is cropped at one place, so that one window of the position embedding
    fits them all.
    """

    def __init__(self, folder: Path, interest: Tensor, seed: int = 0) -> None:
        """Opens `folder`; `interest` (K,) says how much a pixel of each class is worth."""
        self.folder = folder
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")
        self.interest = interest.numpy()
        self._rng = np.random.default_rng(seed)
        self._order = self._shuffled()

    def __len__(self) -> int:
        return len(self.images)

    def draw(
        self, batch: int, size: int, candidates: int = 1
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Draws a batch of `size`-pixel crops, each the most interesting of so many `candidates`.

        Returns:
            images (B, 3, size, size) float32 on 0..255, labels (B, size, size) int64, and the
            crop's corner (row, column) in pixels, multiples of the patch.
        """
        room = (self.images.shape[1] - size) // PATCH
        # Reaching past the edges and clamping trains the positions at the border as much as others.
        row, column = np.clip(self._rng.integers(-5, room + 6, 2), 0, room)
        rows = slice(row * PATCH, row * PATCH + size)
        columns = slice(column * PATCH, column * PATCH + size)
        images = np.empty((batch, size, size, 3), np.float32)
        labels = np.empty((batch, size, size), np.int64)
        for slot in range(batch):
            step = 1 if self._rng.random() < 0.5 else -1  # -1: the whole scene is mirrored
            index = self._pick(rows, columns, step, candidates)
            images[slot] = self._tint(self.images[index, :, ::step][rows, columns])
            labels[slot] = self.labels[index, :, ::step][rows, columns]
        return (
            torch.from_numpy(images).permute(0, 3, 1, 2),
            torch.from_numpy(labels),
            (int(row) * PATCH, int(column) * PATCH),
        )

    def _pick(self, rows: slice, columns: slice, step: int, candidates: int) -> int:
        """Picks the next scene, or of the next few the one with most of interest in the window."""
        indices = [next(self._order) for _ in range(candidates)]
        if candidates == 1:
            return indices[0]
        windows = [self.labels[index, :, ::step][rows, columns][::4, ::4] for index in indices]
        return indices[int(np.argmax([self.interest[window].mean() for window in windows]))]

    def _shuffled(self) -> Iterator[int]:
        while True:
            yield from self._rng.permutation(len(self.images)).tolist()

    def _tint(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Changes white balance, exposure and black level mildly."""
        gain = self._rng.uniform(0.85, 1.15) * self._rng.uniform(0.94, 1.06, 3)
        lift = self._rng.uniform(-10, 10)
        return np.clip(image * gain.astype(np.float32) + np.float32(lift), 0, 255)


def class_frequencies(folder: Path, classes: int, samples: int = 300) -> Tensor:
    """Returns each class's share of all pixels (K,), from every so-many-th label map."""
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    picked = labels[:: max(len(labels) // samples, 1), ::4, ::4]
    counts = np.bincount(picked.ravel(), minlength=classes)
    return torch.from_numpy(counts / counts.sum()).float()
