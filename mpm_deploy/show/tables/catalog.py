"""Makes tables of what there is: recipes, models, the paper's rows, an artifact, a machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mpm_deploy.families import BACKENDS
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.show.tables.style import new_table, number
from mpm_deploy.support.counting import counted
from mpm_deploy.support.processor import X86_LEVELS, x86_level
from mpm_deploy.support.quoting import shown

if TYPE_CHECKING:
    from mpm_deploy.artifact import InputInfo, Manifest, MergeInfo
    from mpm_deploy.builder.doctor import Finding
    from mpm_deploy.models.summary import ModelFacts
    from mpm_deploy.recipe.paper import Row, Task

_PLACES = {"before_block": "before", "after_attention": "inside"}

MODELS_CAPTION = (
    "Full-token, one image of 512 × 512, 150 classes. checkpoint: a file or folder for --weights; "
    "random: for speed only. Any other pair is BACKBONE+HEAD: --model "
    "vit_small_patch14_dinov2+linear."
)
PAPER_CAPTION = (
    "Each with --weights FILE or random, as it is and with --full-token. "
    "The paper's Table 3 counts a multiply-add once: half of these. Table 7 is an A100's, in a "
    "precision that the paper does not say; this package has not run on one."
)
# A method of those tables whose weights must be trained for it.
CTS_TOO = (
    "CTS: with --set merge.method=cts --set merge.blocks=[0] --set merge.shared=103, 90 or 336, "
    "and weights that bring its policy"
)


def recipes_table(recipes: Iterable[Recipe]) -> Table:
    """Make a table of the recipes, what they build, and what they are for."""
    table = new_table("recipe", "backend", "merges at", "for")
    for recipe in recipes:
        backend = f"{recipe.backend.name} {recipe.backend.device} {recipe.backend.dtype}"
        table.add_row(recipe.name, backend, schedule(recipe.merge), recipe.description)
    return table


def models_table(models: Iterable[ModelFacts]) -> Table:
    """Make a table of the models, how large they are, and which weights they take."""
    table = new_table("model", "parameters, M", "GFLOPs", "special tokens", "head", "weights")
    for column in table.columns[1:4]:
        column.justify = "right"
    for model in models:
        table.add_row(
            model.name,
            f"{model.parameters / 1e6:.1f}",
            number(model.gflops),
            str(model.special_tokens),
            model.head,
            "demo, checkpoint, random" if model.has_demo else "checkpoint, random",
        )
    table.caption = MODELS_CAPTION
    return table


def paper_table(rows: Iterable[tuple[Row, Task, ModelFacts]]) -> Table:
    """Make a table of the paper's rows, with the arguments of `mpm-deploy build` for each."""
    table = new_table("table", "input", "classes", "GFLOPs", "mpm-deploy build")
    for column in table.columns[:4]:
        column.justify = "right"
    for row, task, model in rows:
        height, width = task.image_size
        table.add_row(
            str(row.table),
            f"{height} × {width}",
            str(task.classes),
            number(model.gflops),
            " ".join(_build_options(row)),
        )
    table.add_section()
    table.add_row("1 to 3", "", "", "", CTS_TOO)
    table.caption = PAPER_CAPTION
    return table


def _build_options(row: Row) -> list[str]:
    named = {"recipe": row.recipe, "model": row.model, "task": row.dataset}
    options = [f"--{name} {value}" for name, value in named.items()]
    return options + [f"--set {setting}" for setting in row.settings]


def manifest_table(manifest: Manifest, signature: str) -> Table:
    """Make a table of an artifact's manifest, one fact per row, and who has signed it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in {**_facts(manifest), "signature": signature}.items():
        table.add_row(name, Text(value))
    return table


def findings_table(findings: Iterable[Finding]) -> Table:
    """Make a table of what `mpm-deploy doctor` found, with the cure below what is missing."""
    table = new_table("for", "what", "found")
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


def schedule(merge: MergeRecipe | MergeInfo) -> str:
    """Say at which blocks tokens are merged, as in ``"blocks 2 and 5"``."""
    if not merge.blocks:
        return "no block"
    blocks = " and ".join(str(block) for block in merge.blocks)
    return f"block{'s' if len(merge.blocks) > 1 else ''} {blocks}"


def place(merge: MergeInfo) -> str:
    """Say where at a block tokens are merged, as in ``"before"`` or ``"inside"``."""
    return _PLACES.get(merge.place, merge.place.replace("_", " "))


def way_of_merging(merge: MergeInfo) -> str:
    """Say how and where tokens are merged, as in ``"mpm before blocks 2 and 5"``."""
    if not merge.blocks:
        return "full-token"
    return f"{merge.method} {place(merge)} {schedule(merge)}"


def _batch(manifest: Manifest) -> str:
    least, most = manifest.batch.min, manifest.batch.max
    return f"{'' if least == most else f'{least} to '}{counted(most, 'image')} a call"


def _facts(manifest: Manifest) -> dict[str, str]:
    model, requires, agreement = manifest.model, manifest.requires, manifest.agreement
    weights = manifest.weights
    return {
        "recipe": str(manifest.recipe.get("name", "")),
        "model": f"{model.name}, {model.parameters / 1e6:.1f} M parameters, {model.head} head",
        "weights": f"{weights.origin} {(weights.sha256 or '')[:12]}".strip(),
        "classes": f"{len(model.classes)}: {', '.join(model.classes[:12])}"
        + (", …" if len(model.classes) > 12 else ""),
        "input": _input(manifest),
        "merge": f"{way_of_merging(manifest.merge)}, reconstruct {manifest.merge.reconstruct}",
        "batch": _batch(manifest),
        "backend": f"{requires.backend} on {requires.device}, {requires.dtype}",
        "needs": _needs(manifest),
        **_details(manifest),
        "agreement": f"{agreement.labels:.4%} of labels, clusters "
        f"{', '.join(f'{share:.4%}' for share in agreement.clusters) or 'none'}, "
        f"on {counted(agreement.images, 'image')}",
        "created": f"{manifest.created_by.created} by mpm-deploy {manifest.created_by.mpm_deploy}",
        "format": manifest.format,
        "payload": manifest.payload_sha256,
    }


def _input(manifest: Manifest) -> str:
    input, patch = manifest.input, manifest.model.patch_size
    size, padded = (input.height, input.width), tuple(patch * side for side in manifest.grid)
    padding = "" if padded == size else f", padded to {padded[0]} × {padded[1]}"
    patches = f"{manifest.patches} patches of {patch} × {patch}"
    return f"{size[0]} × {size[1]} by {_fit(input)}{padding}, {patches}"


def _fit(input: InputInfo) -> str:
    if input.fit != "slide":
        return input.fit
    return f"{input.fit} with stride {input.stride} over a short side of {input.short_side}"


def _cpu(isa: frozenset[str]) -> str:
    """Name a CPU by its level, and by flags alone what is in none."""
    level = x86_level(isa)
    beyond = " ".join(sorted(isa - X86_LEVELS.get(level or "", frozenset())))
    named = f"CPU of level {level}" if level else "CPU"
    return f"{named} with {beyond}" if beyond else named


def _needs(manifest: Manifest) -> str:
    requires = manifest.requires
    built_with = " and ".join(f"{name} {version}" for name, version in requires.versions.items())
    needs = [f"built with {built_with}"] if built_with else []
    if requires.machine:
        needs.append(requires.machine)
    if requires.cpu_isa:
        needs.append(_cpu(frozenset(requires.cpu_isa)))
    if requires.cuda_capability:
        needs.append("CUDA capability {}.{}".format(*requires.cuda_capability))
    return ", ".join(needs)


def _details(manifest: Manifest) -> dict[str, str]:
    """Say what the backend asks of a host, in its own words where it is known here."""
    requires = manifest.requires
    if requires.backend not in BACKENDS:
        return {name: shown(value) for name, value in requires.details.items()}
    described: dict[str, str] = BACKENDS[requires.backend]().described(manifest)
    return described
