"""What the command line shows, as rich's tables and sentences. Nothing here prints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from mpm_deploy.recipe import MergeRecipe, Recipe

if TYPE_CHECKING:  # these import torch, which `mpm-deploy recipes` need not wait for
    from mpm_deploy.artifact import InputInfo, Manifest, MergeInfo
    from mpm_deploy.doctor import Finding
    from mpm_deploy.measure.advise import Advice
    from mpm_deploy.measure.break_even import BreakEven
    from mpm_deploy.measure.evaluate import Evaluation
    from mpm_deploy.measure.profile import Profile, Stage
    from mpm_deploy.measure.report import Measurement, Ratio, Report, Spread
    from mpm_deploy.measure.sweep import Sweep, SweepRow
    from mpm_deploy.models.facts import ModelFacts
    from mpm_deploy.paper import Row, Task

RANDOM_WEIGHTS = "The weights are random: speeds are real, label maps mean nothing."
MODELS_CAPTION = (
    "Full-token, one image of 512 × 512, 150 classes. checkpoint: a file for --weights; "
    "random: for speed only."
)
PAPER_CAPTION = (
    "Each with --weights FILE or random, as it is and with --full-token. "
    "The paper's Table 3 counts a multiply-add once: half of these."
)


def recipes_table(recipes: Iterable[Recipe]) -> Table:
    """The recipes, what they build, and what they are for."""
    table = _table("recipe", "backend", "merge before", "for")
    for recipe in recipes:
        backend = f"{recipe.backend.name} {recipe.backend.device} {recipe.backend.dtype}"
        table.add_row(recipe.name, backend, schedule(recipe.merge), recipe.description)
    return table


def models_table(models: Iterable[ModelFacts]) -> Table:
    """The models, how large they are, and which weights they take."""
    table = _table("model", "parameters, M", "GFLOPs", "special tokens", "head", "weights")
    for column in table.columns[1:4]:
        column.justify = "right"
    for model in models:
        table.add_row(
            model.name,
            f"{model.parameters / 1e6:.1f}",
            _number(model.gflops),
            str(model.special_tokens),
            model.head,
            "demo, checkpoint, random" if model.has_demo else "checkpoint, random",
        )
    table.caption = MODELS_CAPTION
    return table


def paper_table(rows: Iterable[tuple[Row, Task, ModelFacts]]) -> Table:
    """The rows of the paper's tables, and what `mpm-deploy build` is told to build them."""
    table = _table("table", "input", "classes", "GFLOPs", "mpm-deploy build")
    for column in table.columns[:4]:
        column.justify = "right"
    for row, task, model in rows:
        height, width = task.image_size
        table.add_row(
            str(row.table),
            f"{height} × {width}",
            str(task.classes),
            _number(model.gflops),
            f"--recipe {row.recipe} --model {row.model} --dataset {row.dataset}",
        )
    table.caption = PAPER_CAPTION
    return table


def manifest_table(manifest: Manifest) -> Table:
    """What an artifact says of itself, one fact a row."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in _facts(manifest).items():
        table.add_row(name, Text(value))
    return table


def findings_table(findings: Iterable[Finding]) -> Table:
    """What `mpm-deploy doctor` found, and under it the cure for what is missing."""
    table = _table("for", "what", "found")
    topic = None
    for finding in findings:
        if topic not in (None, finding.topic):
            table.add_section()
        found = Text(finding.found, style="yellow" if finding.cure else "green")
        if finding.cure:
            found.append(f"\ncure: {finding.cure}", style="default")
        table.add_row(finding.topic if finding.topic != topic else "", finding.subject, found)
        topic = finding.topic
    return table


def report_title(report: Report) -> str:
    """What was measured, and on what."""
    artifact, host = report.artifact, report.host
    return (
        f"{artifact.path}: {artifact.model}, {artifact.weights} weights, {artifact.backend} "
        f"{artifact.dtype}, {host.gpu or host.cpu}, {host.threads} threads, torch {host.torch}"
    )


def results_table(results: Iterable[Measurement]) -> Table:
    """One row a batch size; tokens kept and GFLOPs are means over the images."""
    table = _table(
        *("batch", "end-to-end FPS", "model FPS", "p50 ms", "p90 ms", "p99 ms"),
        *("tokens kept", "GFLOPs"),
        justify="right",
    )
    for row in results:
        latency = row.latency_ms
        table.add_row(
            str(row.batch_size),
            _number(row.end_to_end_fps),
            _number(row.model_fps),
            *(_number(percentile) for percentile in (latency.p50, latency.p90, latency.p99)),
            _tokens(row.tokens_kept.mean),
            _number(row.gflops),
        )
    return table


def comparison_table(results: Iterable[Ratio]) -> Table:
    """How many times faster the artifact is than the other, median (least – most)."""
    table = _table(
        *("batch", "repeats", "model FPS ratio", "end-to-end FPS ratio", "FLOP ratio"),
        justify="right",
    )
    for row in results:
        table.add_row(
            str(row.batch_size),
            str(row.repeats),
            _spread(row.model_fps_ratio),
            _spread(row.end_to_end_fps_ratio),
            f"{row.flop_ratio:.2f}",
        )
    return table


def evaluation_table(evaluation: Evaluation) -> Table:
    """One row a class, the means and the sum below; shares in percent."""
    table = _table("class", "IoU", "accuracy", "pixels", justify="right")
    table.columns[0].justify = "left"
    for row in evaluation.per_class:
        table.add_row(Text(row.name), _percent(row.iou), _percent(row.accuracy), f"{row.pixels:,}")
    table.add_section()
    means = (evaluation.mean_iou, evaluation.mean_class_accuracy)
    pixels = sum(row.pixels for row in evaluation.per_class)
    table.add_row("all", *map(_percent, means), f"{pixels:,}", style="bold")
    return table


def evaluation_summary(evaluation: Evaluation) -> str:
    """The figures that are compared with others, in one sentence."""
    artifact, dataset = evaluation.artifact, evaluation.dataset
    images = str(evaluation.images)
    if evaluation.images < dataset.images:
        images += f" of {dataset.images}"
    return (
        f"{artifact.path} on {dataset.name}, {images} images: "
        f"mIoU {_percent(evaluation.mean_iou)}, "
        f"mean class accuracy {_percent(evaluation.mean_class_accuracy)}, "
        f"pixel accuracy {_percent(evaluation.pixel_accuracy)}, "
        f"tokens kept {_tokens(evaluation.tokens_kept)}."
    )


def sweep_table(sweep: Sweep) -> Table:
    """A row for each way of merging, fastest last; what no other beats is marked."""
    return rows_table(sweep.every_row(), sweep.front)


def rows_table(rows: Iterable[SweepRow], front: Collection[str] = ()) -> Table:
    """Rows of a sweep, by their speed."""
    table = _table(
        *("merging", "mIoU", "drop", "end-to-end FPS", "× full-token", "× model", "× FLOPs"),
        *("GFLOPs", "tokens kept", "front"),
        justify="right",
    )
    table.columns[0].justify = "left"
    first, *others = rows
    for row in (first, *sorted(others, key=lambda row: row.speed.end_to_end_fps_ratio.median)):
        speed, drop = row.speed, first.accuracy.mean_iou - row.accuracy.mean_iou
        table.add_row(
            row.name,
            f"{100 * row.accuracy.mean_iou:.2f}",
            f"{100 * drop:.2f}",
            _number(speed.end_to_end_fps),
            _spread(speed.end_to_end_fps_ratio),
            f"{speed.model_fps_ratio.median:.2f}",
            f"{speed.flop_ratio:.2f}",
            _number(speed.gflops),
            _tokens(speed.tokens_kept.mean),
            "●" if row.name in front else "",
        )
    return table


def row_summary(row: SweepRow) -> str:
    """One row in a line."""
    ratio = _spread(row.speed.end_to_end_fps_ratio)
    return f"{row.name}: mIoU {100 * row.accuracy.mean_iou:.2f}, end to end × {ratio}"


def sweep_remarks(sweep: Sweep) -> list[str]:
    """What the table does not say by itself: against what, and where MPM is not the fastest."""
    from mpm_deploy.measure.sweep import not_matched

    full_token, settings = sweep.full_token, sweep.subject.settings
    truth = "true label maps" if sweep.subject.truth == "labels" else "the full-token model's"
    remarks = [
        f"mIoU over {full_token.accuracy.images} images, against {truth}; FPS over "
        f"{full_token.speed.images}, batch {settings.batch_size}, "
        "each artifact in turns with the full-token one."
    ]
    beaten = not_matched(sweep)
    if not beaten and {row.merge.method for row in sweep.rows} > {"mpm"}:
        remarks.append("No other method is faster than mpm at an mIoU that mpm reaches.")
    remarks += [f"{_standing(other)}; {_rival(best)}." for other, best in beaten]
    remarks += [f"{failure.name} cannot be built: {failure.reason}." for failure in sweep.failures]
    return remarks


def _rival(best: SweepRow | None) -> str:
    if best is None:
        return "no mpm that was measured reaches this mIoU"
    return f"the fastest of at least its mIoU is {_standing(best)}"


def _standing(row: SweepRow) -> str:
    ratio = _spread(row.speed.end_to_end_fps_ratio)
    return f"{row.name} with × {ratio} at {100 * row.accuracy.mean_iou:.2f}"


def advice_sentence(advice: Advice, seen: int, truth: str) -> str:
    """What is best within the limit, how far it was looked for, and what it costs."""
    measured = f"{len(advice.measured)} of {seen} ways of merging were built and measured"
    if advice.best is None:
        return f"Nothing keeps the limit; {measured}."
    row, full = advice.best, advice.full_token
    drop = 100 * (full.accuracy.mean_iou - row.accuracy.mean_iou)
    of = "mIoU" if truth == "labels" else "mIoU against the full-token model"
    return (
        f"{row.name}: × {_spread(row.speed.end_to_end_fps_ratio)} of the full-token model's "
        f"end-to-end FPS ({_number(row.speed.end_to_end_fps)}), {drop:.2f} points of {of} lost; "
        f"{measured}."
    )


def stages_table(profile: Profile) -> Table:
    """What the artifact itself tells of its time, and of the full-token one's."""
    stages = [stage for stage in profile.stages if stage.source == "artifact"]
    table = _table("stage", "ms", "full-token", justify="right")
    table.columns[0].justify = "left"
    for stage in stages:
        table.add_row(stage.name, _number(stage.ms), _number(stage.ms_full_token))
    total = sum(stage.ms for stage in stages)
    others = [stage.ms_full_token for stage in stages if stage.ms_full_token is not None]
    table.add_row("sum", _number(total), _number(sum(others) if others else None))
    return table


def parts_table(profile: Profile) -> Table:
    """The parts of the eager model: a row for each block, and one for what lies around them."""
    parts = [stage for stage in profile.stages if stage.source == "eager"]
    table = _table("", "merge", "attention", "MLP", "sum", "full-token", "×", justify="right")
    table.columns[0].justify = "left"
    for block in dict.fromkeys(part.block for part in parts if part.block is not None):
        own = {part.name: part for part in parts if part.block == block}
        cells = [_number(own[n].ms) if n in own else "" for n in ("merge", "attention", "MLP")]
        table.add_row(f"block {block}", *cells, *_sums(list(own.values())))
    for part in parts:
        if part.block is None:
            table.add_row(part.name, "", "", "", *_sums([part]))
    table.add_row("sum", "", "", "", *_sums(parts))
    return table


def break_even_table(even: BreakEven) -> Table:
    """How many times as fast merged is, by the tokens that an image begins with."""
    table = _table("tokens", "× full-token, eager", justify="right")
    for size in even.sizes:
        table.add_row(str(size.tokens), _spread(size.fps_ratio))
    return table


def break_even_sentence(even: BreakEven) -> str:
    """From how many tokens on it pays."""
    if even.pays_from is None:
        return "merging the eager model does not pay at any of these sizes"
    return f"merging the eager model pays from {even.pays_from} tokens on"


def _sums(parts: Sequence[Stage]) -> tuple[str, str, str]:
    own = sum(part.ms for part in parts)
    other = sum(part.ms_full_token or 0.0 for part in parts)
    return _number(own), _number(other) if other else "", f"{other / own:.2f}" if other else ""


def schedule(merge: MergeRecipe | MergeInfo) -> str:
    """At which blocks tokens are merged."""
    if merge.method == "none":
        return "no block"
    blocks = " and ".join(str(block) for block in merge.before_blocks)
    return f"block{'s' if len(merge.before_blocks) > 1 else ''} {blocks}"


def _facts(manifest: Manifest) -> dict[str, str]:
    model, requires, agreement = manifest.model, manifest.requires, manifest.agreement
    weights = manifest.weights
    return {
        "recipe": str(manifest.recipe.get("name", "")),
        "model": f"{model.name}, {model.parameters / 1e6:.1f} M parameters, {model.head} head",
        "weights": f"{weights.origin} {(weights.sha256 or '')[:12]}".strip(),
        "classes": f"{len(model.classes)}: {', '.join(model.classes[:12])}"
        + (", …" if len(model.classes) > 12 else ""),
        "input": f"{manifest.input.height} × {manifest.input.width} by {_fit(manifest.input)}, "
        f"{manifest.patches} patches of {model.patch_size} × {model.patch_size}",
        "merge": f"{manifest.merge.method} {_place(manifest.merge)} {schedule(manifest.merge)}, "
        f"reconstruct {manifest.merge.reconstruct}",
        "batch": f"{manifest.batch.min} to {manifest.batch.max} images a call",
        "backend": f"{requires.backend} on {requires.device}, {requires.dtype}",
        "needs": _needs(manifest),
        "agreement": f"{agreement.labels:.4%} of labels, clusters "
        f"{', '.join(f'{share:.4%}' for share in agreement.clusters) or 'none'}, "
        f"on {agreement.images} images",
        "created": f"{manifest.created_by.created} by mpm-deploy {manifest.created_by.mpm_deploy}",
        "format": manifest.format,
        "payload": manifest.payload_sha256,
    }


def _fit(input: InputInfo) -> str:
    if input.fit == "resize":
        return input.fit
    return f"{input.fit} with stride {input.stride} over a short side of {input.short_side}"


def _place(merge: MergeInfo) -> str:
    return "inside" if merge.method in ("tome", "algm") else "before"


def _needs(manifest: Manifest) -> str:
    requires = manifest.requires
    needs = [f"built with torch {requires.torch}"]
    if requires.machine:
        needs.append(requires.machine)
    if requires.cpu_isa:
        needs.append(f"CPU with {' '.join(requires.cpu_isa)}")
    if requires.cuda_capability:
        needs.append("CUDA capability {}.{}".format(*requires.cuda_capability))
    return ", ".join(needs)


def _table(*columns: str, justify: Literal["left", "right"] = "left") -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify=justify, no_wrap=column not in ("for", "found"))
    return table


def _number(value: float | None) -> str:
    """Three digits that tell; a percentile that is not known is a dash."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _tokens(mean: Iterable[float]) -> str:
    return " → ".join(f"{tokens:.0f}" for tokens in mean) or "all"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def _spread(ratio: Spread) -> str:
    return f"{ratio.median:.2f} ({ratio.min:.2f} – {ratio.max:.2f})"
