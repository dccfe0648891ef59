"""Algorithm 1 of "Mutual Pair Merging", read line by line: slow, one image, one pair at a time.

Written from the paper alone, in float64 and plain Python lists, so that the packed version has
something to be wrong against. Nothing here knows about batches, offsets or torch.

Indices count image tokens from 0 (the paper counts from 1). Special tokens stand in front of the
image tokens; they are carried through and seen by no line of the algorithm.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.float64]  # (N, C)
Similarity = list[list[float]]  # N rows of N cosines

NEAR_TIE = 3e-6  # two float32 versions may order cosines closer than this differently


@dataclass(frozen=True)
class Merge:
    """What Algorithm 1 returns for one image, special tokens included."""

    tokens: Tokens  # (E + N', C)
    merge_map: list[int]  # E + N entries: the row of `tokens` each row went to


def row_normalize(tokens: Tokens) -> Tokens:
    """Line 1. A row of zeros has no direction and stays zero."""
    normalized = np.zeros_like(tokens)
    for i, row in enumerate(tokens):
        norm = math.sqrt(float(np.dot(row, row)))
        if norm > 0:
            normalized[i] = row / norm
    return normalized


def cosine_similarity(tokens: Tokens) -> Similarity:
    """Line 2."""
    normalized = row_normalize(tokens)
    return [(normalized @ row).tolist() for row in normalized]


def best_matches(similarity: Similarity) -> list[int]:
    """Line 3: the most similar other token, the first of equals. A token alone has itself."""
    best = []
    for i, row in enumerate(similarity):
        match, highest = i, -math.inf
        for j, cosine in enumerate(row):
            if j != i and cosine > highest:
                match, highest = j, cosine
        best.append(match)
    return best


def mutual_pairs(best: list[int]) -> list[tuple[int, int]]:
    """Line 4."""
    pairs = []
    for i, j in enumerate(best):
        if best[j] == i and i < j:
            pairs.append((i, j))
    return pairs


def compact_ids(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Lines 5 and 6: representatives are numbered left to right, partners inherit."""
    representative_of = {partner: representative for representative, partner in pairs}
    merge_map: list[int] = []
    next_id = 0
    for i in range(count):
        if i in representative_of:
            merge_map.append(merge_map[representative_of[i]])
        else:
            merge_map.append(next_id)
            next_id += 1
    return merge_map


def cluster_means(tokens: Tokens, merge_map: list[int]) -> Tokens:
    """Line 7: the plain mean of each cluster's one or two members."""
    means = []
    for k in range(max(merge_map, default=-1) + 1):
        members = [row for row, cluster in zip(tokens, merge_map, strict=True) if cluster == k]
        means.append(sum(members) / len(members))
    return np.array(means).reshape(len(means), tokens.shape[1])


def algorithm1(tokens: Tokens, special_tokens: int = 0) -> Merge:
    """Merges one image's rows `(E + N, C)`, the first E of which are special."""
    special, image = tokens[:special_tokens], tokens[special_tokens:]
    pairs = mutual_pairs(best_matches(cosine_similarity(image)))
    merge_map = compact_ids(len(image), pairs)
    return Merge(
        tokens=np.concatenate([special, cluster_means(image, merge_map)]),
        merge_map=[*range(special_tokens), *(special_tokens + k for k in merge_map)],
    )


def candidates(similarity: Similarity, slack: float = NEAR_TIE) -> list[set[int]]:
    """For each token the matches that arithmetic less exact than this one may find."""
    found = []
    for i, row in enumerate(similarity):
        others = {j: cosine for j, cosine in enumerate(row) if j != i}
        highest = max(others.values(), default=0.0)
        found.append({j for j, cosine in others.items() if cosine >= highest - slack} or {i})
    return found


def is_decided(choices: list[set[int]]) -> bool:
    """Whether every choice among `candidates` gives the same pairs.

    A token with several candidates leaves the pairs alone if none of them can choose it back:
    it stays a singleton, whichever it takes.
    """
    return all(
        len(matches) == 1 or all(i not in choices[j] for j in matches)
        for i, matches in enumerate(choices)
    )
