"""Makes the page's section on speed: one report becomes charts, facts and notes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

from mpm_deploy.measure.speed.report import ArtifactInfo, Measurement, Ratio, Report, Spread
from mpm_deploy.run.results import StageTimes
from mpm_deploy.show.charts import Bar, Group, Segment, Stack, bar_chart, largest, stacked_chart
from mpm_deploy.show.page.artifacts import Naming, what
from mpm_deploy.show.tables import contention_sentence, place

STAGES = tuple(field.name for field in fields(StageTimes))
PROGRAMS = {"python": "Python", "cpp": "C++"}


@dataclass(frozen=True)
class Key:
    """A line of a legend."""

    color: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A card of the page: ``svg`` is markup, made by `mpm_deploy.show.charts`."""

    title: str
    hint: str
    svg: str
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Speed:
    """The section on one report."""

    title: str
    subtitle: str
    claim: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


Row = tuple[ArtifactInfo, Measurement]


def speed_sections(
    reports: Sequence[Report], naming: Naming, patches: dict[str, int]
) -> list[Speed]:
    """Make one section per report; charts of one kind have one scale in all of them.

    Args:
        reports: The reports, in the order to show them.
        naming: The names and colors of all artifacts.
        patches: Tokens before any merge, by payload, where they are known.
    """
    most = max((largest(_fps(r, naming, rate)) for r in reports for rate in _RATES), default=None)
    return [_section(report, naming, patches, most) for report in reports]


def rows(report: Report) -> Iterator[tuple[int, list[Row]]]:
    """Yield each batch size with its measurements: the artifact's own, then the other's."""
    ratios = {ratio.batch_size: ratio for ratio in _ratios(report)}
    for own in report.results:
        both = [(report.artifact, own)]
        if report.comparison and own.batch_size in ratios:
            both.append((report.comparison.against, ratios[own.batch_size].against))
        yield own.batch_size, both


def number(value: float) -> str:
    """Write a number with three significant digits, or whole from 100 up."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def _section(report: Report, naming: Naming, patches: dict[str, int], most: float | None) -> Speed:
    artifact, host = report.artifact, report.host
    return Speed(
        title=f"{naming.name(artifact)} in {PROGRAMS.get(host.program, host.program)}",
        subtitle=f"{artifact.model}, {artifact.weights} weights, {artifact.backend} "
        f"{artifact.dtype} on {host.gpu or host.cpu}, {host.threads} threads",
        claim=report.comparison.verdict.partition(":")[0] if report.comparison else "",
        charts=tuple(_charts(report, naming, patches, most)) if report.results else (),
        notes=tuple(_notes(report)),
    )


def _charts(
    report: Report, naming: Naming, patches: dict[str, int], most: float | None
) -> Iterator[Chart]:
    legend = _legend(report, naming)
    for title, hint, rate in (
        ("End-to-end FPS", "image files to label maps, images a second", _end_to_end),
        ("Model FPS", "input tensors to scores, images a second", _model),
    ):
        yield Chart(title, hint, bar_chart(_fps(report, naming, rate), most, title), legend)
    if report.comparison and report.comparison.results:
        yield _ratio_chart(report, naming)
    if any(row.tokens_kept.mean for row in report.results):
        yield _tokens_chart(report, naming, patches)
    yield _stages_chart(report, naming)


def _fps(report: Report, naming: Naming, rate: Callable[[Measurement], float]) -> list[Group]:
    def bar(batch: int, artifact: ArtifactInfo, row: Measurement) -> Bar:
        value = rate(row)
        title = f"{naming.name(artifact)}, batch {batch}: {value:.2f} images / s"
        return Bar(value, number(value), title, naming.color(artifact))

    return [
        Group(f"batch {batch}", tuple(bar(batch, *row) for row in both))
        for batch, both in rows(report)
    ]


def _end_to_end(row: Measurement) -> float:
    return row.end_to_end_fps


def _model(row: Measurement) -> float:
    return row.model_fps


_RATES = (_end_to_end, _model)


def _ratio_chart(report: Report, naming: Naming) -> Chart:
    def bar(kind: str, spread: Spread, color: str) -> Bar:
        turns = f" ({spread.min:.2f} to {spread.max:.2f})" if spread.min < spread.max else ""
        ratio = f"× {spread.median:.2f}"
        return Bar(spread.median, ratio, f"{kind}: {ratio}{turns}", color, (spread.min, spread.max))

    groups = [
        Group(
            f"batch {ratio.batch_size}, FLOPs × {ratio.flop_ratio:.2f}",
            (
                bar("end to end", ratio.end_to_end_fps_ratio, "c0"),
                bar("model", ratio.model_fps_ratio, "c0-pale"),
            ),
            ratio.flop_ratio,
            f"FLOPs: × {ratio.flop_ratio:.2f}",
        )
        for ratio in _ratios(report)
    ]
    against = naming.name(report.comparison.against) if report.comparison else ""
    return Chart(
        "Speed beside FLOPs",
        f"times as fast as {against}; the whisker spans all turns",
        bar_chart(groups, name="speed ratio beside FLOP ratio"),
        (
            Key("c0", "end to end"),
            Key("c0-pale", "model"),
            Key("goal", "if every FLOP cost the same"),
        ),
    )


def _tokens_chart(report: Report, naming: Naming, patches: dict[str, int]) -> Chart:
    """Draw the tokens kept at the largest batch size, which measured the most images,
    or as many.
    """
    artifact = report.artifact
    kept = max(report.results, key=lambda row: row.images).tokens_kept
    full = patches.get(artifact.payload_sha256)
    groups = []
    each = zip(artifact.merge.blocks, kept.mean, kept.min, kept.max, strict=False)
    for block, mean, least, most in each:
        title = f"mean {mean:.1f}, least {least}, most {most}"
        bar = Bar(mean, f"{mean:.0f}", title, naming.color(artifact), (least, most))
        where = f"{place(artifact.merge)} block {block}"
        groups.append(Group(where, (bar,), full, f"{full} patches"))
    hint = "mean over the images; the whisker spans them all"
    legend = (Key("goal", f"all {full} patches"),) if full else ()
    return Chart("Tokens kept", hint, bar_chart(groups, name="tokens kept"), legend)


def _stages_chart(report: Report, naming: Naming) -> Chart:
    stacks = []
    for batch, both in rows(report):
        for artifact, row in both:
            segments = tuple(
                Segment(ms, f"{stage}: {ms:.2f} ms", f"stage-{stage}")
                for stage in STAGES
                for ms in [getattr(row.stages_ms, stage)]
            )
            label = f"batch {batch}, {naming.name(artifact)}"
            stacks.append(Stack(label, segments, f"{number(row.stages_ms.total)} ms"))
    return Chart(
        "Where the time goes",
        "work for one image; stages overlap, so it may exceed 1 / FPS",
        stacked_chart(stacks, "milliseconds of each stage"),
        tuple(Key(f"stage-{stage}", stage) for stage in STAGES),
    )


def _legend(report: Report, naming: Naming) -> tuple[Key, ...]:
    artifacts = [report.artifact]
    if report.comparison:
        artifacts.append(report.comparison.against)
    return tuple(Key(naming.color(a), f"{naming.name(a)}: {what(a)}") for a in artifacts)


def _ratios(report: Report) -> tuple[Ratio, ...]:
    return report.comparison.results if report.comparison else ()


def _notes(report: Report) -> Iterator[str]:
    if contended := contention_sentence(report):
        yield contended
    for left_out in report.left_out:
        yield f"Batch {left_out.batch_size} was not measured: {left_out.reason}."
    if report.skipped:
        names = ", ".join(f"{image.path} ({image.reason})" for image in report.skipped)
        yield f"Skipped: {names}."
