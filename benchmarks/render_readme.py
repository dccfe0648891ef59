"""Writes what the README and docs say of speed, commands and recipes, from where each is said.

    results/demo_*.json ─────┬─▶ README.md, between the two "proof" comments: one line
                             └─▶ docs/results/demo.md: both programs' tables
    results/cpu_peers-*.json ┬─▶ README.md, between the two "cpu peers" comments: the fastest
                             └─▶ docs/results/cpu_peers.md: all engines, and the targets
    results/transformers_agreement.json ─▶ docs/results/transformers.md
    results/precisions.json ─▶ docs/results/precisions.md
    results/cpu_parts.json ─▶ docs/results/cpu_parts.md
    results/cts_accuracy.json ─▶ docs/results/cts.md
    results/{demo,eomt}_accuracy.json, pixel_baseline.json ─▶ docs/results/scenes.md
    results/eva_flops.json ─▶ docs/results/eva_flops.md
    results/tensorrt_engines.json ─▶ docs/results/tensorrt.md
    results/segments.json ─▶ docs/results/segments.md
    results/{video,c_interface,serving,archives}.json ─▶ docs/results/ways_in.md
    results/h100-*.json ─────┬─▶ README.md, between the two "h100" comments: the paper's rows
                             ├─▶ docs/results/h100.md: every table
                             └─▶ docs/results/figures/h100-*-light.svg and -dark.svg
    results/*_sweep.json ────┬─▶ docs/results/*_sweep.md: what none beats, and every row
                             └─▶ docs/results/figures/*_sweep-light.svg and -dark.svg
    mpm-deploy --help ───────▶ docs/cli.md
    recipes/*.toml ──────────┬─▶ README.md, between the two "recipes" comments
                             └─▶ docs/guides/recipes.md, likewise

``python -m benchmarks.render_readme --check`` only says whether they are up to date. Of a figure,
whether it is of the same record: another version of the library that draws it may round another
way.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.pages import (
    command_line,
    cts,
    demo,
    eva,
    gpu,
    parts,
    peers,
    precisions,
    recipes,
    scenes,
    segments,
    sweep,
    tensorrt,
    transformers,
    ways_in,
)
from benchmarks.pages.common import between
from benchmarks.record import ROOT

README = ROOT / "README.md"
_PAGES = (
    *(demo, command_line, cts, eva, peers, parts, precisions, recipes, scenes, segments, sweep),
    *(tensorrt, transformers, ways_in, gpu),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    for path, text in pages().items():
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or not same(path, text):
            sys.exit(f"{path.name} is not what its sources say: python -m benchmarks.render_readme")


def same(path: Path, text: str) -> bool:
    """Tell whether a file says what it should; for a figure, whether it names the same record."""
    if path.suffix != ".svg":
        return path.read_text() == text
    return path.read_text().splitlines()[0] == text.splitlines()[0]


def pages() -> dict[Path, str]:
    """Return each file that figures are written into, as it should be."""
    readme = README.read_text()
    parts = {"proof": demo, "cpu peers": peers, "h100": gpu, "recipes": recipes}
    for name, module in parts.items():
        readme = between(readme, name, module.readme())
    made = {README: readme}
    for module in _PAGES:
        made |= module.pages()
    return made


if __name__ == "__main__":
    main()
