"""Makes tables and sentences on a profile: where the time goes, and from where on merging pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from mpm_deploy.show.tables.style import new_table, number, spread

if TYPE_CHECKING:
    from mpm_deploy.measure.profile.break_even import BreakEven
    from mpm_deploy.measure.profile.profile import Profile, Stage


def stages_table(profile: Profile) -> Table:
    """Make a table of the time of the artifact's stages, and of the full-token artifact's."""
    stages = [stage for stage in profile.stages if stage.source == "artifact"]
    table = new_table("stage", "ms", "full-token", justify="right")
    table.columns[0].justify = "left"
    for stage in stages:
        table.add_row(stage.name, number(stage.ms), number(stage.ms_full_token))
    total = sum(stage.ms for stage in stages)
    others = [stage.ms_full_token for stage in stages if stage.ms_full_token is not None]
    table.add_row("sum", number(total), number(sum(others) if others else None))
    return table


def parts_table(profile: Profile) -> Table:
    """Make a table of the eager model's parts: a row for each block, and one for what
    lies around them.
    """
    parts = [stage for stage in profile.stages if stage.source == "eager"]
    table = new_table("", "merge", "attention", "MLP", "sum", "full-token", "×", justify="right")
    table.columns[0].justify = "left"
    for block in dict.fromkeys(part.block for part in parts if part.block is not None):
        own = {part.name: part for part in parts if part.block == block}
        cells = [number(own[n].ms) if n in own else "" for n in ("merge", "attention", "MLP")]
        table.add_row(f"block {block}", *cells, *_sums(list(own.values())))
    for part in parts:
        if part.block is None:
            table.add_row(part.name, "", "", "", *_sums([part]))
    table.add_row("sum", "", "", "", *_sums(parts))
    return table


def break_even_table(even: BreakEven) -> Table:
    """Make a table of how many times as fast merged is, by the tokens that an image begins with."""
    table = new_table("tokens", "× full-token, eager", justify="right")
    for size in even.sizes:
        table.add_row(str(size.tokens), spread(size.fps_ratio))
    return table


def break_even_sentence(even: BreakEven) -> str:
    """Say from how many tokens on merging pays."""
    if even.pays_from is None:
        return "merging the eager model does not pay at any of these sizes"
    return f"merging the eager model pays from {even.pays_from} tokens on"


def _sums(parts: Sequence[Stage]) -> tuple[str, str, str]:
    own = sum(part.ms for part in parts)
    other = sum(part.ms_full_token or 0.0 for part in parts)
    return number(own), number(other) if other else "", f"{other / own:.2f}" if other else ""
