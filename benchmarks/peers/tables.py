"""Shows the comparison as rich's tables and sentences, from results alone."""

from collections.abc import Iterable

from rich import box
from rich.table import Table

from benchmarks.peers.engines.eager import Eager
from benchmarks.peers.results import EngineResult, Figure, ModelResult, Verdict, find, ratio
from mpm_deploy.measure.speed.report import Spread

_COLUMNS = ("engine", "precision", "tokens", "model FPS", "end-to-end FPS", "side by side")
_RATIOS = ("× plain", "labels equal", "GFLOP/s")
RANDOM = "random weights: speeds are real, label maps mean nothing"


def title(result: ModelResult) -> str:
    """Say which model was timed, and with which weights, images and rounds."""
    weights = RANDOM if result.weights == "random" else f"{result.weights} weights"
    return (
        f"{result.model}, {result.classes} classes, {weights}; {result.images} images, "
        f"{result.rounds} rounds"
    )


def engines_table(result: ModelResult) -> Table:
    """Make a table with one row per engine that has figures, the fastest of each
    precision first.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in (*_COLUMNS, *_RATIOS):
        justify = "left" if column in _COLUMNS[:3] else "right"
        table.add_column(column, justify=justify, no_wrap=True)
    plain = find(result.engines, Eager.name)
    running = [engine for engine in result.engines if engine.cannot is None]
    for dtype in dict.fromkeys(engine.dtype for engine in running):
        alike = [engine for engine in running if engine.dtype == dtype]
        for engine in sorted(alike, key=lambda e: -e.median("best_fps")):
            table.add_row(*_row(engine, plain))
        table.add_section()
    return table


def notes(result: ModelResult) -> list[str]:
    """Say which engines have no figures and why, and which routes were taken."""
    cannot = [f"{_name(e)} cannot: {e.cannot}" for e in result.engines if e.cannot is not None]
    one_at_a_time = [
        f"{_name(e)} cannot side by side: {e.not_side_by_side}"
        for e in result.engines
        if e.not_side_by_side is not None
    ]
    routes = [f"{_name(e)}: {e.note}." for e in result.engines if e.note and e.cannot is None]
    return [*cannot, *one_at_a_time, *routes]


def verdicts_table(verdicts: Iterable[Verdict]) -> Table:
    """Make a table of the targets, with what was wanted and what was reached, median
    (least – most).
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, justify in (("target", "left"), ("wanted", "right"), ("reached", "right")):
        table.add_column(column, justify=justify)
    table.add_column("")
    for verdict in verdicts:
        outcome = "met" if verdict.met else "missed"
        table.add_row(verdict.target, f"≥ {verdict.wanted:.2f}", spread(verdict.reached), outcome)
    return table


def spread(reached: Spread) -> str:
    """Write a spread as median (least – most)."""
    return f"{reached.median:.2f} ({reached.min:.2f} – {reached.max:.2f})"


def _row(engine: EngineResult, plain: EngineResult | None) -> list[str]:
    return [
        f"mpm-deploy {engine.name}" if engine.ours else engine.name,
        engine.dtype,
        "merged" if engine.merged else "full",
        _fps(engine, "model_fps"),
        _fps(engine, "end_to_end_fps"),
        _fps(engine, "side_by_side_fps") if engine.side_by_side_fps else "–",
        _over_plain(engine, plain),
        _equal(engine),
        "–" if engine.gflops is None else f"{engine.gflops * engine.median('model_fps'):.0f}",
    ]


def _name(engine: EngineResult) -> str:
    return f"{engine.name} {engine.dtype} {'merged' if engine.merged else 'full-token'}"


def _fps(engine: EngineResult, figure: Figure) -> str:
    return f"{engine.median(figure):#.3g}"


def _over_plain(engine: EngineResult, plain: EngineResult | None) -> str:
    """Write the end-to-end ratio over plain PyTorch, each by its best way. Other precisions took
    turns apart: medians, no spread.
    """
    if plain is None:
        return "–"
    if engine.dtype == plain.dtype:
        return spread(ratio(engine, plain, "best_fps"))
    return f"{engine.median('best_fps') / plain.median('best_fps'):.2f}"


def _equal(engine: EngineResult) -> str:
    """Write the share of labels equal to the eager float32 full-token model's; for merged ones also
    to the merged one's.
    """
    shares = [engine.equal_to_full_token]
    if engine.merged:
        shares.append(engine.equal_to_merged)
    return " / ".join("–" if share is None else f"{share:.2%}" for share in shares)
