"""Writes what the README and docs say of speed and of commands, from records and from ``--help``.

    results/demo_python.json ┬─▶ README.md, between the two "proof" comments: one line
    results/demo_cpp.json    ┴─▶ docs/results/demo.md: both programs' tables
    results/cpu_peers-*.json ┬─▶ README.md, between the two "cpu peers" comments: the fastest
                             └─▶ docs/results/cpu_peers.md: all engines, and the targets
    results/h100-*.json ─────┬─▶ README.md, between the two "h100" comments: the paper's rows
                             ├─▶ docs/results/h100.md: every table
                             └─▶ docs/results/figures/h100-*-light.svg and -dark.svg
    results/demo_sweep.json ─┬─▶ docs/results/demo_sweep.md: what none beats, and every row
                             └─▶ docs/results/figures/demo_sweep-light.svg and -dark.svg
    mpm-deploy --help ───────▶ docs/cli.md

``render_readme.py --check`` only says whether they are up to date. Of a figure, whether it is of
the same record: another version of the library that draws it may round another way.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/render_readme.py`

from benchmarks.gpu import pages as gpu_pages
from benchmarks.peers.results import ModelResult, headline
from benchmarks.peers.tables import engines_table, notes, title, verdicts_table
from benchmarks.record import RESULTS, ROOT
from benchmarks.text import as_text, indented
from mpm_deploy.families import COMMANDS
from mpm_deploy.measure.search.sweep import Sweep
from mpm_deploy.measure.speed.report import Ratio, Report
from mpm_deploy.show.charts import standalone
from mpm_deploy.show.charts.theme import Scheme
from mpm_deploy.show.page.sweep import sweep_chart
from mpm_deploy.show.tables import (
    comparison_table,
    results_table,
    rows_table,
    sweep_remarks,
    sweep_table,
)
from mpm_deploy.support.schema import read_structure

README = ROOT / "README.md"
DEMO_PAGE = ROOT / "docs" / "results" / "demo.md"
CLI_PAGE = ROOT / "docs" / "cli.md"
PEERS_PAGE = ROOT / "docs" / "results" / "cpu_peers.md"
RECORDS = {"Python": "demo_python.json", "C++": "demo_cpp.json"}
WIDTH, WIDE = 110, 156
PEERS_INTRODUCTION = """
The same weights and images in other engines, each in a process of its own, in turns
(`python benchmarks/cpu_peers.py`). Peers interpolate and take the argmax in their own graph.
"Model FPS" and "end-to-end FPS" are of one image at a time on all cores, "side by side" is end to
end with an image on each core at once. "× plain" is end to end over PyTorch eager full-token in
float32, each by the faster of its two ways; the table is in that order. "Labels equal" is to its
labels, and after the slash to those of PyTorch eager merged.
"""
PEERS_MORE = (
    "All engines, larger models, and the targets: "
    "[docs/results/cpu_peers.md](docs/results/cpu_peers.md).\n"
)
H100_PAGE = ROOT / "docs" / "results" / "h100.md"
SWEEP = ROOT / "benchmarks" / "results" / "demo_sweep.json"
SWEEP_PAGE = ROOT / "docs" / "results" / "demo_sweep.md"
FIGURES = ROOT / "docs" / "results" / "figures"
SWEEP_FIGURE = """<picture>
  <source media="(prefers-color-scheme: dark)" srcset="figures/demo_sweep-dark.svg">
  <img src="figures/demo_sweep-light.svg" alt="mIoU against end-to-end FPS" width="480">
</picture>
"""
DEFAULT = "mpm [2, 5]"  # the recipes' own
# Whose --help is written down: argparse's own words change with Python's version.
PYTHONS = ((3, 11), (3, 12))
CLI_INTRODUCTION = """# Every command

As each says of itself with `--help`. Data goes to stdout, talk to stderr.

| exit code | means |
|---|---|
| 0 | done |
| 1 | an error, said in one sentence with its cure |
| 2 | wrong usage |
| 3 | done, but some images were skipped; each is named |
| 130 | interrupted |

**End-to-end FPS** counts from image files on disk to label maps in host memory, **model FPS** from
input tensors to scores. Each artifact is timed in a process of its own, the two in turns; no image
comes twice in a pass; and every speed ratio stands beside the FLOP ratio at the tokens kept, which
is what it could be (`docs/formats/report.md`).

`build/cpp_runner` has the commands `run` and `bench` in C++, with a `--help` of their own;
`build/cpp_runner ARTIFACT FOLDER` is short for `bench`, and with `--output DIR` for `run`.
"""

Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    for path, text in pages().items():
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or not same(path, text):
            sys.exit(f"{path.name} is not what benchmarks/results says")


def same(path: Path, text: str) -> bool:
    """Tell whether a file says what it should; for a figure, whether it names the same record."""
    if path.suffix != ".svg":
        return path.read_text() == text
    return path.read_text().splitlines()[0] == text.splitlines()[0]


def pages() -> dict[Path, str]:
    """Return each file that figures are written into, as it should be."""
    everything = {
        README: fill(README.read_text(), README_PLACES),
        DEMO_PAGE: fill(DEMO_PAGE.read_text(), {"demo output": demo_output}),
    }
    if sys.version_info[:2] in PYTHONS:
        everything[CLI_PAGE] = cli_page()
    if peers_records():
        everything[PEERS_PAGE] = peers_page()
    if SWEEP.exists():
        everything[SWEEP_PAGE] = sweep_page()
        everything |= sweep_figures()
    return everything | h100_pages()


def fill(text: str, places: dict[str, Callable[[], str]]) -> str:
    """Return a page with the places between its marks written anew."""
    for name, output in places.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}{output()}{end}{after}"
    return text


def proof() -> str:
    """Say in one sentence what merging gains; nothing before there are records."""
    paths = [RESULTS / name for name in RECORDS.values()]
    if not all(path.exists() for path in (*paths, SWEEP)):
        return ""
    python, cpp = (read_structure(Report, json.loads(p.read_text())["report"]) for p in paths)
    gains = []
    for report in (python, cpp):
        assert report.comparison is not None
        gains.append(report.comparison.results[0])
    sweep = read_sweep_record()[1]
    merged = next(row for row in sweep.every_row() if row.name == DEFAULT)
    kept, whole = (100 * row.accuracy.mean_iou for row in (merged, sweep.full_token))
    host, flops = python.host, gains[0].flop_ratio
    where = f"{host.cpu}, {host.cores} cores, torch {host.torch}"
    return f"""
Merging makes the demo model, a ViT-T/16, **× {_of(gains[0])} as fast in Python and
× {_of(gains[1])} in C++**, one image at a time, from files to label maps, where FLOPs allow
× {flops:.2f}; its mIoU is {kept:.2f}, and full-token {whole:.2f} ({where}:
[both programs](docs/results/demo.md), [all ways of merging](docs/results/demo_sweep.md)).

"""


def _of(ratio: Ratio) -> str:
    spread = ratio.end_to_end_fps_ratio
    return f"{spread.median:.2f} ({spread.min:.2f} – {spread.max:.2f})"


def demo_output() -> str:
    """Write both programs' tables, and the machine they ran on; nothing before there
    are records.
    """
    paths = {title: ROOT / "benchmarks" / "results" / name for title, name in RECORDS.items()}
    if not all(path.exists() for path in paths.values()):
        return ""
    records = {title: json.loads(path.read_text()) for title, path in paths.items()}
    parts = [of_program(title, record) for title, record in records.items()]
    return "\n" + "\n".join([*parts, machine(records["Python"])]) + "\n"


def of_program(title: str, record: Record) -> str:
    """Write one program's tables and its verdict."""
    report = read_structure(Report, record["report"])
    tables = [title, as_text(results_table(report.results), WIDTH)]
    if report.comparison is None:
        return indented("\n".join(tables))
    tables.append(as_text(comparison_table(report.comparison.results), WIDTH))
    return indented("\n".join(tables)) + f"\n{report.comparison.verdict}\n"


def machine(record: Record) -> str:
    """Say on which machine the figures were measured, and with what."""
    report = read_structure(Report, record["report"])
    host = report.host
    return (
        f"({host.gpu or host.cpu}, {host.cores} cores, torch {host.torch}, "
        f"{report.results[0].images} images, commit {record['commit']}; "
        "written by `benchmarks/render_readme.py`.)\n"
    )


def peers_records() -> list[Record]:
    """Read the record of every machine that was compared on."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("cpu_peers-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def peers_output() -> str:
    """Write every machine's fastest engines with the demo model; nothing before there
    is a record.
    """
    records = [{**record, "models": record["models"][:1]} for record in peers_records()]
    machines = [of_machine(record, fastest_of_model) for record in records]
    return "".join([PEERS_INTRODUCTION, *machines, PEERS_MORE, "\n"] if machines else [])


def peers_page() -> str:
    """Write every machine's tables of all engines."""
    machines = [of_machine(record, of_model) for record in peers_records()]
    return "".join(["# Other engines on a CPU\n", PEERS_INTRODUCTION, *machines])


def of_machine(record: Record, of_one: Callable[[ModelResult], str]) -> str:
    """Write one machine's tables, and what they were measured with."""
    results = [read_structure(ModelResult, result) for result in record["models"]]
    return "\n" + "\n".join([*map(of_one, results), peers_machine(record)]) + "\n"


def fastest_of_model(result: ModelResult) -> str:
    """Write one model's fastest engines."""
    table = as_text(engines_table(headline(result)), WIDE)
    return f"{title(result)}:\n\n{indented(table)}"


def of_model(result: ModelResult) -> str:
    """Write one model's engines, those that cannot run it, and the targets."""
    tables = [as_text(engines_table(result), WIDE), as_text(verdicts_table(result.verdicts), WIDE)]
    cannot = [f"- {note}" for note in notes(result)]
    return "\n".join([f"{title(result)}:\n", indented("\n".join(tables)), *cannot]) + "\n"


def peers_machine(record: Record) -> str:
    """Say on which machine the engines ran, and with what."""
    host, packages = record["machine"], record["packages"]
    commits = dict.fromkeys(model["commit"] for model in record["models"])
    return (
        f"({host['cpu']}, {host['cores']} cores, "
        f"{', '.join(f'{name} {version}' for name, version in packages.items())}, "
        f"commit {', '.join(commits)}; written by `benchmarks/render_readme.py`.)\n"
    )


def sweep_page() -> str:
    """Write the figure, the rows that no other beats, and every row."""
    record, sweep = read_sweep_record()
    kept = {*sweep.front, DEFAULT}
    rows = [row for row in sweep.every_row() if row.name in kept or row is sweep.full_token]
    best = indented(as_text(rows_table(rows, sweep.front), WIDE))
    remarks = "\n".join(f"- {remark}" for remark in sweep_remarks(sweep))
    table = indented(as_text(sweep_table(sweep), WIDE))
    head = "# Ways of merging the demo model, on the held-out scenes\n"
    parts = [head, SWEEP_FIGURE, best, f"{remarks}\n", "## Every row\n", table]
    return "\n".join([*parts, sweep_machine(record, sweep)])


def sweep_figures() -> dict[Path, str]:
    """Draw accuracy against speed twice: for a light and for a dark background."""
    svg = sweep_chart(read_sweep_record()[1])
    digest = hashlib.sha256(SWEEP.read_bytes()).hexdigest()
    head = f"<!-- drawn from benchmarks/results/{SWEEP.name}, SHA-256 {digest} -->\n"
    schemes: tuple[Scheme, ...] = ("light", "dark")
    return {
        FIGURES / f"demo_sweep-{scheme}.svg": head + standalone(svg, scheme) + "\n"
        for scheme in schemes
    }


def read_sweep_record() -> tuple[Record, Sweep]:
    """Read the record, and the sweep in it."""
    record = json.loads(SWEEP.read_text())
    return record, read_structure(Sweep, record["report"])


def sweep_machine(record: Record, sweep: Sweep) -> str:
    """Say on which machine the sweep was measured, and with what."""
    host = sweep.host
    return (
        f"({host.gpu or host.cpu}, {host.cores} cores, torch {host.torch}, commit "
        f"{record['commit']}; written by `benchmarks/render_readme.py`.)\n"
    )


def cli_page() -> str:
    """Write the help text of each command."""
    texts = [CLI_INTRODUCTION]
    with mock.patch.dict(os.environ, COLUMNS="100"):
        for name, module in COMMANDS.items():
            if module.HELP is not None:
                parser = argparse.ArgumentParser(
                    prog=f"mpm-deploy {name}", description=module.HELP, allow_abbrev=False
                )
                module.add_options(parser)
                texts.append(f"## {name}\n\n{indented(parser.format_help())}")
    return "\n".join(texts)


def h100_records() -> list[Path]:
    """Return the record file of every GPU."""
    return sorted((ROOT / "benchmarks" / "results").glob("h100-*.json"))


def h100_output() -> str:
    """Write the paper's rows of every GPU; nothing before there is a record."""
    return "".join(gpu_pages.readme_part(gpu_pages.read(path)) for path in h100_records())


def h100_pages() -> dict[Path, str]:
    """Write the pages with all that is known of every GPU, and its figures."""
    kept = [gpu_pages.read(path) for path in h100_records()]
    drawn = {path: text for each in kept for path, text in gpu_pages.figures(each, FIGURES).items()}
    texts = {H100_PAGE: "\n".join(map(gpu_pages.page, kept))} if kept else {}
    return {**texts, **drawn}


README_PLACES = {"proof": proof, "cpu peers": peers_output, "h100": h100_output}

if __name__ == "__main__":
    main()
