"""Names and colors artifacts, in the same way all over a page."""

from collections.abc import Iterable
from pathlib import Path

from mpm_deploy.measure.speed.report import ArtifactInfo
from mpm_deploy.show.page.documents import Documents
from mpm_deploy.show.tables import way_of_merging

_COLORS = 5  # c0 to c4 of the charts; full-token models are gray


def artifacts_of(documents: Documents) -> list[ArtifactInfo]:
    """Return each artifact once, told apart by its payload, in the order they are met."""
    met: dict[str, ArtifactInfo] = {}
    for artifact in _all(documents):
        met.setdefault(artifact.payload_sha256, artifact)
    return list(met.values())


def what(artifact: ArtifactInfo) -> str:
    """Say how an artifact merges, as in ``"mpm before blocks 2 and 5"``."""
    return way_of_merging(artifact.merge)


class Naming:
    """Gives every artifact of a page a short name and a color."""

    def __init__(self, artifacts: Iterable[ArtifactInfo]) -> None:
        self._names: dict[str, str] = {}
        self._colors: dict[str, str] = {}
        known = list(artifacts)
        files = [Path(artifact.path).name for artifact in known]
        merged = 0
        for artifact, file in zip(known, files, strict=True):
            own = files.count(file) == 1
            self._names[artifact.payload_sha256] = file if own else artifact.path
            full = not artifact.merge.blocks
            self._colors[artifact.payload_sha256] = "full" if full else f"c{merged % _COLORS}"
            merged += not full

    def name(self, artifact: ArtifactInfo) -> str:
        """Return the name of the artifact's file, or its path where two files have the
        same name.
        """
        return self._names[artifact.payload_sha256]

    def color(self, artifact: ArtifactInfo) -> str:
        """Return the name of the artifact's color in charts."""
        return self._colors[artifact.payload_sha256]


def _all(documents: Documents) -> Iterable[ArtifactInfo]:
    for report in documents.reports:
        yield report.artifact
        if report.comparison:
            yield report.comparison.against
    for evaluation in documents.evaluations:
        yield evaluation.artifact
    for pictures in documents.pictures:
        if pictures.gallery:
            yield pictures.gallery.artifact
            if pictures.gallery.against:
                yield pictures.gallery.against
