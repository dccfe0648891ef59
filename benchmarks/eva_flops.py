"""Counts where EVA-01's FLOPs go, by part and by token: ``python -m benchmarks.eva_flops``

Table 7 of the paper says × 1.42 of EVA-01 with ViT-Adapter and Mask2Former's head at 896 × 896, and
neither GFLOPs, nor tokens kept, nor what becomes of merged tokens where the adapter reads a grid of
patches, after each of four groups of ten blocks. So every reading of it is counted:

    through     tokens that merged stay merged through all groups; injectors work on them
    patches     the same, but injectors work on every patch, and its tokens merge again after that
    anew        each group starts from every patch, and merges before its own third and sixth block
    first       the first group alone merges

How many tokens are left is that of Table 1: the share that both merges keep alike, if the GFLOPs of
a Segmenter there are to come out. Two merges of pairs leave a quarter at the fewest. The model
counts its FLOPs itself; nothing is run.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.paper import paper_row, title_of
from mpm_deploy.models.flops import count_flops, count_parts
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import outline
from mpm_deploy.recipe.paper import ROWS, Row, find_task

BLOCKS = (2, 5)
READINGS = {
    "through": "through all groups",
    "patches": "the same, injectors on every patch",
    "anew": "anew in each group",
    "first": "in the first group alone",
}
FEWEST = 0.5  # of its tokens a merge of pairs keeps
SHOWN = "Seg-L/16"  # the largest model of Table 1, whose tokens the table of parts is of
_BLOCKS = "patch embedding and blocks"  # of the ViT, and its merges

Parts = dict[str, float]


def add_up(parts: Mapping[str, float]) -> float:
    """Return the FLOPs of all parts."""
    return sum(parts.values())


def kept_at(share: float, tokens: int) -> tuple[int, ...]:
    """Return the tokens before, between and after two merges that each keep a share."""
    return tuple(round(tokens * share**merges) for merges in range(len(BLOCKS) + 1))


class Count:
    """Counts the FLOPs of a model with an adapter, whatever becomes of merged tokens in its groups.

    Args:
        model: The model, merged at `BLOCKS`; an outline will do.
    """

    def __init__(self, model: Segmenter) -> None:
        self.encoder: Any = model.encoder
        down, across = model.grid
        self.patches = down * across
        self.everywhere = (self.patches,) * (1 + len(BLOCKS))
        parts = count_parts(model).items()
        self.parts = {name: flops.total(self.everywhere) for name, flops in parts}

    def full_token(self) -> Parts:
        """Return the FLOPs by part where nothing merges."""
        return self._parts("through", self.everywhere, merges=0)

    def merged(self, reading: str, kept: Sequence[int]) -> Parts:
        """Return the FLOPs by part, by the tokens before the first merge and after each."""
        merges = len(self.encoder.interactions) if reading == "anew" else 1
        return self._parts(reading, kept, merges)

    def ratio(self, reading: str, share: float) -> float:
        """Return how many times as many FLOPs the full-token model has, where each merge keeps a
        share of the tokens.
        """
        merged = self.merged(reading, kept_at(share, self.patches))
        return add_up(self.full_token()) / add_up(merged)

    def tokens(self, reading: str, block: int, kept: Sequence[int]) -> int:
        """Return the tokens that a block transforms."""
        first = max(first for first in self.encoder.first_blocks if first <= block)
        place = {"anew": block - first, "first": 0 if first else block}.get(reading, block)
        return kept[sum(place >= merge for merge in BLOCKS)]

    def _parts(self, reading: str, kept: Sequence[int], merges: int) -> Parts:
        """Count the FLOPs by part, with ``merges`` groups that merge."""
        counts = [self.tokens(reading, block, kept) for block in range(len(self.encoder.blocks))]
        begun = [counts[first] for first in self.encoder.first_blocks]
        injected = [self.patches] * len(begun) if reading == "patches" else begun
        blocks = self._embedding() + sum(map(self._block, self.encoder.blocks, counts))
        return self.parts | {
            "encoder": blocks + merges * self._merging(kept),
            "injectors": sum(map(self._injector, self.encoder.interactions, injected)),
        }

    def _block(self, block: Any, tokens: int) -> float:
        return block.flops(self.encoder.special_tokens).at(tokens).constant

    def _injector(self, interaction: Any, tokens: int) -> float:
        cells = sum(down * across for down, across in self.encoder.grids)
        return interaction.injector.flops(cells, self.encoder.special_tokens).at(tokens).constant

    def _merging(self, kept: Sequence[int]) -> float:
        """Count the FLOPs of the merges of one group."""
        merging = (self.encoder.blocks[block].merge_flops() for block in BLOCKS)
        return sum(each.at(tokens).constant for each, tokens in zip(merging, kept, strict=False))

    def _embedding(self) -> float:
        """Count the FLOPs of embedding patches: what blocks have besides themselves."""
        themselves = sum(self._block(block, self.patches) for block in self.encoder.blocks)
        return self.parts["encoder"] - themselves - self._merging(self.everywhere)


def share_of(row: Row) -> tuple[int, float]:
    """Return a row's tokens, and the share that each merge keeps if its GFLOPs are to come out."""
    task, share = find_task(row.dataset), paper_row(row).share("mpm")
    assert share is not None  # Table 1 has GFLOPs of every model
    model = outline(row.model, classes=task.classes, image_size=task.image_size, blocks=BLOCKS)
    flops, (down, across) = count_flops(model), model.grid
    full = count_flops(outline(row.model, classes=task.classes, image_size=task.image_size))
    tokens = down * across
    wanted = share * full.total((tokens,))
    return tokens, solved(lambda kept: flops.total(kept_at(kept, tokens)), wanted)


def solved(function: Callable[[float], float], wanted: float) -> float:
    """Return where between `FEWEST` and 1 a function that rises has a value, by halving."""
    low, high = FEWEST, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return high


def needed(count: Count, reading: str, ratio: float) -> list[int] | None:
    """Return the tokens kept at which a ratio is reached; None where none are few enough."""
    if count.ratio(reading, FEWEST) < ratio:
        return None
    share = solved(lambda kept: -count.ratio(reading, kept), -ratio)
    return [*kept_at(share, count.patches)]


def parts_table(record: Mapping[str, Any], kept: str) -> Table:
    """Make a table of GFLOPs by part, full-token and by each reading, at one count of tokens."""
    merged = {reading: record["merged"][reading][kept] for reading in READINGS}
    ways = {"full-token": record["full_token"]} | merged
    table = columns(("part",), [READINGS.get(way, way) for way in ways])
    for part in record["full_token"]:
        words = _BLOCKS if part == "encoder" else part
        table.add_row(words, *(f"{parts[part] / 1e9:,.0f}" for parts in ways.values()))
    table.add_section()
    totals = [add_up(parts) for parts in ways.values()]
    table.add_row("all", *(f"{total / 1e9:,.0f}" for total in totals))
    table.add_row("full-token over it", *(f"{totals[0] / total:.2f}" for total in totals))
    return table


def ratios_table(record: Mapping[str, Any]) -> Table:
    """Make a table of how many times as many FLOPs the full-token model has, by tokens kept."""
    table = columns(("kept as in",), ("tokens there", "tokens kept", *READINGS.values()))
    full = add_up(record["full_token"])
    for name, kept in record["kept"].items():
        ratios = (full / add_up(record["merged"][reading][name]) for reading in READINGS)
        there = record["tokens"].get(name, "")
        table.add_row(name, str(there), _arrows(kept), *(f"{ratio:.2f}" for ratio in ratios))
    table.add_section()
    needed = (record["needed"][reading] for reading in READINGS)
    enough = (_arrows(kept) if kept else "never" for kept in needed)
    table.add_row(f"for × {record['ratio']:.2f}", "", "", *enough)
    return table


def _arrows(kept: Sequence[int]) -> str:
    return " → ".join(map(str, kept[1:]))


def measure(_: argparse.Namespace) -> Iterator[Finding]:
    """Count the model of Table 7 by every reading, at every count of tokens."""
    (row,) = (row for row in ROWS if row.table == 7)
    task, paper = find_task(row.dataset), paper_row(row)
    count = Count(
        outline(row.model, classes=task.classes, image_size=task.image_size, blocks=BLOCKS)
    )
    found = {title_of(each): share_of(each) for each in ROWS if each.table == 1}
    shares = {name: share for name, (_, share) in found.items()} | {"fewest": FEWEST}
    ratio = paper.ratio("mpm")
    assert ratio is not None
    kept = {name: kept_at(share, count.patches) for name, share in shares.items()}
    record = {
        "model": row.model,
        "image_size": [*task.image_size],
        "classes": task.classes,
        "fps": paper.fps,
        "ratio": ratio,
        "tokens": {name: tokens for name, (tokens, _) in found.items()},
        "kept": {name: [*tokens] for name, tokens in kept.items()},
        "full_token": count.full_token(),
        "merged": {
            reading: {name: count.merged(reading, tokens) for name, tokens in kept.items()}
            for reading in READINGS
        },
        "needed": {reading: needed(count, reading, ratio) for reading in READINGS},
    }
    yield Finding(record, [parts_table(record, SHOWN), ratios_table(record)])


MEMBER = Member("eva_flops", "where EVA-01's FLOPs go, and which merging explains × 1.42", measure)

if __name__ == "__main__":
    MEMBER.run()
