"""Provides what all pages share: places, figures, and what a figure was measured with."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, ROOT
from mpm_deploy.measure.speed.report import HostInfo
from mpm_deploy.show.charts import standalone
from mpm_deploy.show.charts.theme import Scheme

PAGES = ROOT / "docs" / "results"
FIGURES = PAGES / "figures"
_SCHEMES: tuple[Scheme, ...] = ("light", "dark")

Record = dict[str, Any]


def records(pattern: str) -> list[Path]:
    """Return the files of the records that match, as ``h100-*``."""
    return sorted(RESULTS.glob(f"{pattern}.json"))


def read(path: Path) -> Record:
    """Read a record's file."""
    record: Record = json.loads(path.read_text())
    return record


def page_of(page: Path, name: str, written_of: Callable[[Record], str]) -> dict[Path, str]:
    """Write a page of the record of that name; nothing before there is one."""
    texts = [written_of(read(path)) for path in records(name)]
    return {page: "".join(texts)} if texts else {}


def between(text: str, name: str, output: str) -> str:
    """Return a page with what stands between a name's two comments written anew."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{output}{end}{rest.split(end)[1]}"


def figures(path: Path, svg: str) -> dict[Path, str]:
    """Return a record's figure as two files: for a light and for a dark background."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    head = f"<!-- drawn from benchmarks/results/{path.name}, SHA-256 {digest} -->\n"
    return {
        FIGURES / f"{path.stem}-{scheme}.svg": f"{head}{standalone(svg, scheme)}\n"
        for scheme in _SCHEMES
    }


def picture(name: str, about: str, folder: str = "figures") -> str:
    """Write the figure of a record into a page, which shows it as bright as itself."""
    return f"""<picture>
  <source media="(prefers-color-scheme: dark)" srcset="{folder}/{name}-dark.svg">
  <img src="{folder}/{name}-light.svg" alt="{about}" width="480">
</picture>
"""


def on_host(host: HostInfo, *more: str) -> str:
    """Say on which machine a report's figures were measured, and with what."""
    return written(f"{host.gpu or host.cpu}, {host.cores} cores", f"torch {host.torch}", *more)


def of_record(record: Record) -> str:
    """Say on which machine a member's record was measured, and with what."""
    host = record["machine"]
    return written(
        f"{host['cpu']}, {host['cores']} cores",
        f"torch {record['versions']['torch']}",
        commits([record["commit"]]),
    )


def written(*facts: str) -> str:
    """Say what figures were measured with, and what wrote them."""
    return f"({', '.join(facts)}; written by `benchmarks/render_readme.py`.)\n"


def commits(names: Iterable[str]) -> str:
    """Name each commit once."""
    return f"commit {', '.join(dict.fromkeys(names))}"
