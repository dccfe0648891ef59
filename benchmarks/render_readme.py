"""Write what the README and docs say of speed, from ``benchmarks/results``.

    results/demo_python.json ┐
    results/demo_cpp.json    ┴─▶ README.md, between the two "demo output" comments
    results/cpu_peers-*.json ┬─▶ README.md, between the two "cpu peers" comments: the fastest
                             └─▶ docs/cpu_peers.md: all engines, what they cannot do, the targets
    results/h100-*.json ─────┬─▶ README.md, between the two "h100" comments: the paper's rows
                             ├─▶ docs/h100.md: every table
                             └─▶ docs/figures/h100-*-light.svg and -dark.svg
    results/demo_sweep.json ─┬─▶ README.md, between the two "sweep" comments: what none beats
                             ├─▶ docs/demo_sweep.md: every row
                             └─▶ docs/figures/demo_sweep-light.svg and -dark.svg

``render_readme.py --check`` only says whether they are up to date. Of a figure, whether it is of
the same record: another version of the library that draws it may round another way.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `python benchmarks/render_readme.py`

from benchmarks.gpu import pages as gpu_pages
from benchmarks.peers.results import ModelResult, headline
from benchmarks.peers.tables import engines_table, notes, title, verdicts_table
from benchmarks.record import ROOT
from benchmarks.text import as_text, indented
from mpm_deploy.charts import standalone
from mpm_deploy.charts.theme import Scheme
from mpm_deploy.measure.report import Report
from mpm_deploy.measure.sweep import Sweep
from mpm_deploy.page.sweep import sweep_chart
from mpm_deploy.structure import read_structure
from mpm_deploy.tables import (
    comparison_table,
    results_table,
    rows_table,
    sweep_remarks,
    sweep_table,
)

README = ROOT / "README.md"
PEERS_PAGE = ROOT / "docs" / "cpu_peers.md"
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
    "All engines, larger models, and the targets: [docs/cpu_peers.md](docs/cpu_peers.md).\n"
)
H100_PAGE = ROOT / "docs" / "h100.md"
SWEEP = ROOT / "benchmarks" / "results" / "demo_sweep.json"
SWEEP_PAGE = ROOT / "docs" / "demo_sweep.md"
FIGURES = ROOT / "docs" / "figures"
SWEEP_FIGURE = """<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/figures/demo_sweep-dark.svg">
  <img src="docs/figures/demo_sweep-light.svg" alt="mIoU against end-to-end FPS" width="480">
</picture>
"""
DEFAULT = "mpm [2, 5]"  # the recipes' own
SWEEP_MORE = "Every row: [docs/demo_sweep.md](docs/demo_sweep.md).\n"

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
    """Whether a file says what it should; of a figure, whether it names the same record."""
    if path.suffix != ".svg":
        return path.read_text() == text
    return path.read_text().splitlines()[0] == text.splitlines()[0]


def pages() -> dict[Path, str]:
    """Each file that figures are written into, as it should be."""
    everything = {README: fill(README.read_text())}
    if peers_records():
        everything[PEERS_PAGE] = peers_page()
    if SWEEP.exists():
        everything[SWEEP_PAGE] = sweep_page()
        everything |= sweep_figures()
    return everything | h100_pages()


def fill(text: str) -> str:
    """The README with the places between the marks written anew."""
    for name, output in PLACES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}{output()}{end}{after}"
    return text


def demo_output() -> str:
    """Both programs' tables, and the machine they ran on; nothing before there are records."""
    paths = {title: ROOT / "benchmarks" / "results" / name for title, name in RECORDS.items()}
    if not all(path.exists() for path in paths.values()):
        return ""
    records = {title: json.loads(path.read_text()) for title, path in paths.items()}
    parts = [of_program(title, record) for title, record in records.items()]
    return "\n" + "\n".join([*parts, machine(records["Python"])]) + "\n"


def of_program(title: str, record: Record) -> str:
    """One program's tables and its verdict."""
    report = read_structure(Report, record["report"])
    tables = [title, as_text(results_table(report.results), WIDTH)]
    if report.comparison is None:
        return indented("\n".join(tables))
    tables.append(as_text(comparison_table(report.comparison.results), WIDTH))
    return indented("\n".join(tables)) + f"\n{report.comparison.verdict}\n"


def machine(record: Record) -> str:
    """What the figures were measured on, and with."""
    report = read_structure(Report, record["report"])
    host = report.host
    return (
        f"({host.gpu or host.cpu}, {host.cores} cores, torch {host.torch}, "
        f"{report.results[0].images} images, commit {record['commit']}; "
        "written by `benchmarks/render_readme.py`.)\n"
    )


def peers_records() -> list[Record]:
    """Of every machine that was compared on."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("cpu_peers-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def peers_output() -> str:
    """Of every machine the demo model's fastest engines; nothing before there is a record."""
    records = [{**record, "models": record["models"][:1]} for record in peers_records()]
    machines = [of_machine(record, fastest_of_model) for record in records]
    return "".join([PEERS_INTRODUCTION, *machines, PEERS_MORE, "\n"] if machines else [])


def peers_page() -> str:
    """Of every machine all engines."""
    machines = [of_machine(record, of_model) for record in peers_records()]
    return "".join(["# Other engines on a CPU\n", PEERS_INTRODUCTION, *machines])


def of_machine(record: Record, of_one: Callable[[ModelResult], str]) -> str:
    """One machine's tables, and what they were measured with."""
    results = [read_structure(ModelResult, result) for result in record["models"]]
    return "\n" + "\n".join([*map(of_one, results), peers_machine(record)]) + "\n"


def fastest_of_model(result: ModelResult) -> str:
    """One model's fastest engines."""
    table = as_text(engines_table(headline(result)), WIDE)
    return f"{title(result)}:\n\n{indented(table)}"


def of_model(result: ModelResult) -> str:
    """One model's engines, those that cannot run it, and the targets."""
    tables = [as_text(engines_table(result), WIDE), as_text(verdicts_table(result.verdicts), WIDE)]
    cannot = [f"- {note}" for note in notes(result)]
    return "\n".join([f"{title(result)}:\n", indented("\n".join(tables)), *cannot]) + "\n"


def peers_machine(record: Record) -> str:
    """What the engines ran on, and with."""
    host, packages = record["machine"], record["packages"]
    commits = dict.fromkeys(model["commit"] for model in record["models"])
    return (
        f"({host['cpu']}, {host['cores']} cores, "
        f"{', '.join(f'{name} {version}' for name, version in packages.items())}, "
        f"commit {', '.join(commits)}; written by `benchmarks/render_readme.py`.)\n"
    )


def sweep_output() -> str:
    """The figure, and the rows that no other beats; nothing before there is a record."""
    if not SWEEP.exists():
        return ""
    record, sweep = read_sweep_record()
    kept = {*sweep.front, DEFAULT}
    rows = [row for row in sweep.every_row() if row.name in kept or row is sweep.full_token]
    table = indented(as_text(rows_table(rows, sweep.front), WIDE))
    remarks = "\n".join(f"- {remark}" for remark in sweep_remarks(sweep))
    parts = [SWEEP_FIGURE, table, f"{remarks}\n", SWEEP_MORE, sweep_machine(record, sweep)]
    return "\n" + "\n".join(parts) + "\n"


def sweep_page() -> str:
    """Every row."""
    record, sweep = read_sweep_record()
    table = indented(as_text(sweep_table(sweep), WIDE))
    remarks = "\n".join(f"- {remark}" for remark in sweep_remarks(sweep))
    head = "# Ways of merging the demo model, on the held-out scenes\n"
    return "\n".join([head, table, f"{remarks}\n", sweep_machine(record, sweep)])


def sweep_figures() -> dict[Path, str]:
    """Accuracy against speed, for readers in the light and in the dark."""
    svg = sweep_chart(read_sweep_record()[1])
    digest = hashlib.sha256(SWEEP.read_bytes()).hexdigest()
    head = f"<!-- drawn from benchmarks/results/{SWEEP.name}, SHA-256 {digest} -->\n"
    schemes: tuple[Scheme, ...] = ("light", "dark")
    return {
        FIGURES / f"demo_sweep-{scheme}.svg": head + standalone(svg, scheme) + "\n"
        for scheme in schemes
    }


def read_sweep_record() -> tuple[Record, Sweep]:
    """The record, and the sweep in it."""
    record = json.loads(SWEEP.read_text())
    return record, read_structure(Sweep, record["report"])


def sweep_machine(record: Record, sweep: Sweep) -> str:
    """What was measured on, and with."""
    host = sweep.host
    return (
        f"({host.gpu or host.cpu}, {host.cores} cores, torch {host.torch}, commit "
        f"{record['commit']}; written by `benchmarks/render_readme.py`.)\n"
    )


def h100_records() -> list[Path]:
    """Of every GPU."""
    return sorted((ROOT / "benchmarks" / "results").glob("h100-*.json"))


def h100_output() -> str:
    """Of every GPU the paper's rows; nothing before there is a record."""
    return "".join(gpu_pages.readme_part(gpu_pages.read(path)) for path in h100_records())


def h100_pages() -> dict[Path, str]:
    """All that is known of every GPU, and its figure."""
    kept = [gpu_pages.read(path) for path in h100_records()]
    drawn = {path: text for each in kept for path, text in gpu_pages.figures(each, FIGURES).items()}
    texts = {H100_PAGE: "\n".join(map(gpu_pages.page, kept))} if kept else {}
    return {**texts, **drawn}


PLACES = {
    "demo output": demo_output,
    "cpu peers": peers_output,
    "sweep": sweep_output,
    "h100": h100_output,
}

if __name__ == "__main__":
    main()
