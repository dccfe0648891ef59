"""What ToMe and ALGM share, read from their papers: slow, one image, one edge at a time.

float64 and plain lists; nothing here knows about batches, offsets or torch. Tokens are numbered
from 0, special ones aside; but every other one is counted from the first special token, as in the
programs of both papers' authors.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]  # (n, F)


def cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms > 0 else 0.0


def both_sets(count: int, special: int) -> tuple[list[int], list[int]]:
    """Every other token from the first special one, and the rest."""
    first = special % 2
    return list(range(first, count, 2)), list(range(1 - first, count, 2))


def edges(features: Rows, special: int) -> list[tuple[int, int, float]]:
    """From each of A to the most similar one of B, the first of equals: from, to, cosine."""
    from_a, to_b = both_sets(len(features), special)
    found = []
    for a in from_a if to_b else []:
        best = max(to_b, key=lambda b: (cosine(features[a], features[b]), -b))
        found.append((a, best, cosine(features[a], features[best])))
    return found


def merge_map(count: int, special: int, merging: dict[int, int]) -> list[int]:
    """Where each token goes; ``merging`` says which of A joins which one of B."""
    from_a, to_b = both_sets(count, special)
    return numbered([a for a in from_a if a not in merging] + to_b, merging, count)


def numbered(order: list[int], merging: dict[int, int], count: int) -> list[int]:
    """Where each token goes, when those that stay come in this order."""
    return [order.index(merging.get(token, token)) for token in range(count)]


def weighted_means(tokens: Rows, sizes: list[int], merge_map: list[int]) -> Rows:
    means = []
    for cluster in range(max(merge_map) + 1):
        members = [i for i, to in enumerate(merge_map) if to == cluster]
        means.append(sum(sizes[i] * tokens[i] for i in members) / sum(sizes[i] for i in members))
    return np.array(means)
