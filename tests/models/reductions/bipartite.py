"""What ToMe and ALGM share, read from their papers: slow, one image, one edge at a time.

float64 and plain lists; nothing here knows about batches, offsets or torch. Tokens are numbered
from 0, special ones aside.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]  # (n, F)


def cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms > 0 else 0.0


def edges(features: Rows) -> list[tuple[int, int, float]]:
    """From each even token to the most similar odd one, the first of equals: from, to, cosine."""
    found = []
    for a in range(0, len(features), 2):
        best = max(range(1, len(features), 2), key=lambda b: (cosine(features[a], features[b]), -b))
        found.append((a, best, cosine(features[a], features[best])))
    return found


def merge_map(count: int, merging: dict[int, int]) -> list[int]:
    """Where each token goes; ``merging`` says which even token joins which odd one."""
    order = [a for a in range(0, count, 2) if a not in merging] + list(range(1, count, 2))
    return [order.index(merging.get(token, token)) for token in range(count)]


def weighted_means(tokens: Rows, sizes: list[int], merge_map: list[int]) -> Rows:
    means = []
    for cluster in range(max(merge_map) + 1):
        members = [i for i, to in enumerate(merge_map) if to == cluster]
        means.append(sum(sizes[i] * tokens[i] for i in members) / sum(sizes[i] for i in members))
    return np.array(means)
