"""Renders one page that answers: does merging pay here? It is a single HTML file that
works offline.

report.json ─────┐                    ┌─ speed.py ────┐
evaluation.json ─┼▶ documents.py ─────┼─ accuracy.py ─┼▶ page.html.jinja ▶ report.html
sweep.json ──────┤  artifacts.py:     ├─ sweep.py ────┤  style.css
profile.json ────┤  names, colors    ├─ profile.py ──┤  charts
pictures.json ───┘                    └─ pictures.py ─┘
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mpm_deploy
from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.measure.speed.report import HostInfo
from mpm_deploy.show.charts import style_sheet
from mpm_deploy.show.page.accuracy import accuracy_sections
from mpm_deploy.show.page.artifacts import Naming, artifacts_of
from mpm_deploy.show.page.documents import Documents, read_documents
from mpm_deploy.show.page.finding import finding
from mpm_deploy.show.page.pictures import picture_sections
from mpm_deploy.show.page.profile import profile_sections
from mpm_deploy.show.page.speed import PROGRAMS, speed_sections
from mpm_deploy.show.page.summary import tiles
from mpm_deploy.show.page.sweep import sweep_sections
from mpm_deploy.show.tables import RANDOM_WEIGHTS
from mpm_deploy.support.files import written_atomically

__all__ = ["Documents", "read_documents", "render_page", "write_page"]

_FOLDER = Path(__file__).parent


def write_page(documents: Documents, target: Path) -> None:
    """Render a page and write it; the file appears whole or not at all.

    Raises:
        InputError: Nothing to show, a picture that is missing, or a folder that is.
        MissingPackageError: Jinja2, Altair or vl-convert is not installed.
    """
    text = render_page(documents)
    with written_atomically(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render_page(documents: Documents) -> str:
    """Render the page as HTML that loads nothing and runs nothing.

    Raises:
        InputError: Nothing to show, or a picture that is missing.
        MissingPackageError: Jinja2, Altair or vl-convert is not installed.
    """
    if documents == Documents():
        raise InputError(
            "report: expected at least one file to show, got none",
            "name what bench --json, eval --json, sweep or visualize wrote",
        )
    artifacts = artifacts_of(documents)
    naming = Naming(artifacts)
    accuracy = accuracy_sections(documents.evaluations, documents.reports, naming)
    patches = _patches(documents)
    text: str = _template().render(
        colors=style_sheet(),
        style=(_FOLDER / "style.css").read_text(encoding="utf-8"),
        headline=finding(documents.reports, documents.evaluations),
        tiles=tiles(documents.reports, accuracy, patches),
        random_weights=RANDOM_WEIGHTS if any(a.weights == "random" for a in artifacts) else None,
        speed=speed_sections(documents.reports, naming, patches),
        accuracy=accuracy,
        sweeps=sweep_sections(documents.sweeps),
        profiles=profile_sections(documents.profiles),
        pictures=picture_sections(documents.pictures, naming),
        hosts=[_facts(report.host) for report in documents.reports],
        version=mpm_deploy.__version__,
    )
    return text


def _patches(documents: Documents) -> dict[str, int]:
    """Return the tokens before any merge, by payload; they come from galleries, as
    reports do not hold them.
    """
    galleries = [folder.gallery for folder in documents.pictures if folder.gallery]
    return {gallery.artifact.payload_sha256: gallery.patches for gallery in galleries}


def _facts(host: HostInfo) -> Sequence[tuple[str, str]]:
    facts = {
        "program": PROGRAMS.get(host.program, host.program),
        "processor": f"{host.cpu}, {host.cores} cores",
        "GPU": host.gpu,
        "threads": str(host.threads),
        "system": host.os,
        "torch": host.torch,
        "Python": host.python,
        "mpm-deploy": host.mpm_deploy,
        "started": host.started,
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise MissingPackageError(
            "making a page needs Jinja2", "pip install 'mpm-deploy[report]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")
