"""Shows the comparison as a table and sentences, from results alone."""

from rich.table import Table

from benchmarks.bench.tables import columns
from benchmarks.peers.results import EngineResult, Figure, ModelResult, plain_pytorch, ratio
from mpm_deploy.show.tables.style import percent, spread

RANDOM = "random weights: speeds are real, label maps mean nothing"
_FIGURES = ("model FPS", "end-to-end FPS", "side by side", "× plain", "labels equal")


def title(result: ModelResult) -> str:
    """Say which model was timed, and with which weights, images and rounds."""
    weights = RANDOM if result.weights == "random" else f"{result.weights} weights"
    return (
        f"{result.model}, {result.classes} classes, {weights}; {result.images} images, "
        f"{result.rounds} rounds"
    )


def engines_table(result: ModelResult) -> Table:
    """Make a table with one row per engine that has figures, the fastest of each precision first;
    mIoU is there where it was measured.
    """
    plain = plain_pytorch(result.engines)
    running = [engine for engine in result.engines if engine.cannot is None]
    judged = any(engine.mean_iou is not None for engine in running)
    accuracy = ("mIoU",) if judged else ()
    table = columns(("engine", "precision", "tokens"), (*_FIGURES, *accuracy, "GFLOP/s"))
    for dtype in dict.fromkeys(engine.dtype for engine in running):
        alike = [engine for engine in running if engine.dtype == dtype]
        for engine in sorted(alike, key=lambda e: -e.median("best_fps")):
            table.add_row(*_row(engine, plain, judged))
        table.add_section()
    return table


def notes(result: ModelResult) -> list[str]:
    """Say which engines have no figures and why, and which routes were taken."""
    engines = result.engines
    cannot = [f"{e.title} cannot: {e.cannot}" for e in engines if e.cannot is not None]
    one_at_a_time = [
        f"{e.title} cannot side by side: {e.not_side_by_side}"
        for e in engines
        if e.not_side_by_side is not None
    ]
    routes = [f"{e.title}: {e.note}." for e in engines if e.note and e.cannot is None]
    return [*cannot, *one_at_a_time, *routes]


def _row(engine: EngineResult, plain: EngineResult | None, judged: bool) -> list[str]:
    return [
        f"mpm-deploy {engine.name}" if engine.ours else engine.name,
        engine.dtype,
        engine.variant.tokens,
        _fps(engine, "model_fps"),
        _fps(engine, "end_to_end_fps"),
        _fps(engine, "side_by_side_fps") if engine.side_by_side_fps else "–",
        _over_plain(engine, plain),
        _equal(engine),
        *([percent(engine.mean_iou)] if judged else []),
        "–" if engine.gflops is None else f"{engine.gflops * engine.median('model_fps'):.0f}",
    ]


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
