"""Makes the page's section on a profile: the parts of the eager model, merged beside full-token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpm_deploy.measure.profile.break_even import BreakEven
from mpm_deploy.measure.profile.profile import Profile, Stage
from mpm_deploy.show.charts import Bar, Group, Segment, Stack, bar_chart, stacked_chart
from mpm_deploy.show.page.speed import Chart, Key, number
from mpm_deploy.show.tables import break_even_sentence

_COLORS = {
    "embed": "stage-fit",
    "merge": "c1",
    "attention": "c0",
    "MLP": "c2",
    "adapter": "c5",
    "decoder": "c3",
    "reconstruct": "c4",
    "other": "faint",
}
_MERGED, _FULL = "merged", "full-token"


@dataclass(frozen=True)
class ProfileSection:
    """The section on one profile."""

    title: str
    subtitle: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def profile_sections(profiles: Sequence[Profile]) -> list[ProfileSection]:
    """Make one section per profile."""
    return [_section(profile) for profile in profiles]


def _section(profile: Profile) -> ProfileSection:
    parts = [stage for stage in profile.stages if stage.source == "eager"]
    return ProfileSection(
        title=f"Inside the model of {profile.artifact.path.rsplit('/', 1)[-1]}",
        subtitle="the eager model of its recipe: compiled code has no parts to time",
        charts=(*(_part_charts(parts) if parts else ()), *map(_even_chart, profile.break_even)),
        notes=profile.remarks,
    )


def _part_charts(parts: Sequence[Stage]) -> Iterator[Chart]:
    both = [_stack(_MERGED, [(part, part.ms) for part in parts])]
    full = [(part, part.ms_full_token) for part in parts if part.ms_full_token is not None]
    both.append(_stack(_FULL, full))
    found = {part.name for part in parts}
    legend = tuple(Key(color, name) for name, color in _COLORS.items() if name in found)
    svg = stacked_chart(both, "milliseconds of each part")
    yield Chart("Parts of the model", "milliseconds for one image, eager", svg, legend)
    blocks = dict.fromkeys(part.block for part in parts if part.block is not None)
    groups = [_group(block, [part for part in parts if part.block == block]) for block in blocks]
    keys = (Key("c0", _MERGED), Key("full", _FULL))
    svg = bar_chart(groups, name="milliseconds of each block")
    yield Chart("Block by block", "milliseconds for one image, eager; merging included", svg, keys)


def _stack(label: str, parts: Sequence[tuple[Stage, float]]) -> Stack:
    sums = {name: sum(ms for part, ms in parts if part.name == name) for name in _COLORS}
    segments = [Segment(ms, f"{name}: {ms:.2f} ms", _COLORS[name]) for name, ms in sums.items()]
    return Stack(label, tuple(segments), f"{number(sum(sums.values()))} ms")


def _group(block: int, parts: Sequence[Stage]) -> Group:
    own = sum(part.ms for part in parts)
    other = sum(part.ms_full_token or 0.0 for part in parts)
    said = ", ".join(f"{part.name} {part.ms:.2f}" for part in parts)
    bars = (
        Bar(own, number(own), f"block {block}, {_MERGED}: {own:.2f} ms ({said})", "c0"),
        Bar(other, number(other), f"block {block}, {_FULL}: {other:.2f} ms", "full"),
    )
    return Group(f"block {block}", bars)


def _even_chart(even: BreakEven) -> Chart:
    groups = []
    for size in even.sizes:
        ratio = size.fps_ratio
        title = f"{size.tokens} tokens: × {ratio.median:.2f} ({ratio.min:.2f} to {ratio.max:.2f})"
        bar = Bar(ratio.median, f"× {ratio.median:.2f}", title, "c0", (ratio.min, ratio.max))
        groups.append(Group(f"{size.tokens} tokens", (bar,), 1.0, "as fast as full-token"))
    hint = f"{break_even_sentence(even)}; times the full-token model's speed"
    svg = bar_chart(groups, name="speed ratio by tokens")
    return Chart(f"Break-even at batch {even.batch_size}", hint, svg)
