"""Reads what a page is made of: JSON files, told apart by their schema, and pictures."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpm_deploy.errors import InputError, RecipeError
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.accuracy import evaluate
from mpm_deploy.measure.accuracy.evaluate import Evaluation
from mpm_deploy.measure.profile import profile
from mpm_deploy.measure.profile.profile import Profile
from mpm_deploy.measure.search import sweep
from mpm_deploy.measure.search.sweep import Sweep
from mpm_deploy.measure.speed import report
from mpm_deploy.measure.speed.report import Report
from mpm_deploy.show import gallery
from mpm_deploy.show.gallery import Gallery, Picture
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure
from mpm_deploy.support.strict_json import read_own_json

_KINDS: dict[str, type[Any]] = {
    report.SCHEMA: Report,
    evaluate.SCHEMA: Evaluation,
    gallery.SCHEMA: Gallery,
    sweep.SCHEMA: Sweep,
    profile.SCHEMA: Profile,
}
_CURE = (
    "name what --json of bench, cpp_runner, eval or profile wrote, sweep.json of sweep or advise, "
    "or pictures.json of visualize"
)


@dataclass(frozen=True)
class PictureFolder:
    """A folder of pictures; ``gallery`` is its index, where `mpm-deploy visualize` wrote one."""

    folder: Path
    gallery: Gallery | None
    loose: tuple[Picture, ...] = ()


@dataclass
class Documents:
    """The documents that were read, in the order given."""

    reports: list[Report] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    pictures: list[PictureFolder] = field(default_factory=list)


def read_documents(files: Iterable[Path], pictures: Path | None = None) -> Documents:
    """Read reports, evaluations, sweeps, profiles and indexes of pictures.

    Args:
        files: Each JSON of one of the schemas; keys that are not known are passed over.
        pictures: A folder of pictures, with an index or without.

    Raises:
        InputError: A file that is missing, no JSON, of another schema, or not as that says; a
            folder without pictures.
    """
    documents = Documents()
    for path in files:
        document = _read(path)
        if isinstance(document, Report):
            documents.reports.append(document)
        elif isinstance(document, Evaluation):
            documents.evaluations.append(document)
        elif isinstance(document, Sweep):
            documents.sweeps.append(document)
        elif isinstance(document, Profile):
            documents.profiles.append(document)
        else:
            documents.pictures.append(PictureFolder(path.parent, document))
    if pictures is not None:
        documents.pictures.append(_read_folder(pictures))
    return documents


def _read_folder(folder: Path) -> PictureFolder:
    index = folder / gallery.INDEX
    if not index.is_file():
        loose = tuple(Picture(path.name, path.stem) for path in find_images(folder))
        return PictureFolder(folder, None, loose)
    document = _read(index)
    if not isinstance(document, Gallery):
        raise InputError(
            f"{index}: expected {gallery.SCHEMA}, got {document.schema}",
            "make the pictures with mpm-deploy visualize",
        )
    return PictureFolder(folder, document)


def _read(path: Path) -> Any:
    try:
        data = read_own_json(path.read_bytes())
    except OSError as error:
        raise refusal(InputError, f"{path}: cannot be read", error) from error
    except ValueError as error:
        raise InputError(f"{path}: expected JSON: {error}", _CURE) from error
    schema = data.get("schema") if isinstance(data, dict) else None
    kind = _KINDS.get(schema) if isinstance(schema, str) else None
    if kind is None:
        raise InputError(
            f"{path}: expected a schema of {', '.join(_KINDS)}, got {shown(schema)}",
            _CURE,
        )
    try:
        return read_structure(kind, data, unknown_keys=True)
    except (StructureError, RecipeError) as error:
        raise InputError(
            f"{path}: not as {schema} has it: {error}", "measure again with this version"
        ) from error
