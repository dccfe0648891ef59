"""Says what casts doubt on an evaluation: what can be as it is, and more often is a mistake."""

from collections.abc import Sequence

from mpm_deploy.datasets import IGNORED, Dataset
from mpm_deploy.datasets.classes import named_otherwise
from mpm_deploy.measure.accuracy.tally import CountedSample, Tally


def doubts_of(names: Sequence[str], dataset: Dataset, tally: Tally) -> tuple[str, ...]:
    """Return a sentence for each doubt.

    Args:
        names: The names of the artifact's classes.
        dataset: The data set.
        tally: What was counted of it, an image or more.
    """
    samples = list(tally.samples.values())
    found = (
        named_otherwise(names, dataset),
        _empty(samples),
        _one_class(dataset, tally),
        _turned(samples),
        _twice(samples),
    )
    return tuple(doubt for doubt in found if doubt is not None)


def _empty(samples: Sequence[CountedSample]) -> str | None:
    empty = [sample.id for sample in samples if sample.ignored == sample.pixels]
    if not empty:
        return None
    return f"no pixel counts in the label maps of {_of(empty, samples)}"


def _one_class(dataset: Dataset, tally: Tally) -> str | None:
    (present,) = tally.counts.sum(axis=1).nonzero()
    if len(present) != 1:
        return None
    number = int(present[0])
    ignored = sum(sample.ignored for sample in tally.samples.values())
    doubt = f"the label maps hold no class but {number} ({dataset.classes[number]})"
    if not ignored:
        return doubt
    return (
        f"{doubt}; {ignored:,} pixels of {IGNORED} do not count: an object is marked by the number "
        "of its class"
    )


def _turned(samples: Sequence[CountedSample]) -> str | None:
    turned = [sample for sample in samples if sample.orientation != 1]
    if not turned:
        return None
    ids = [sample.id for sample in turned]
    return (
        f"EXIF orientation {turned[0].orientation} turns {_of(ids, samples)}, and the sizes do "
        "not tell whether the label maps are turned too: look at them in mpm-deploy visualize "
        "--labels; if they are not, take the orientation out: exiftool -Orientation= FILE"
    )


def _twice(samples: Sequence[CountedSample]) -> str | None:
    first: dict[str, str] = {}  # ids, by what the image files hold
    again = [s.id for s in samples if first.setdefault(s.image, s.id) != s.id]
    if not again:
        return None
    return f"the very image of another sample counts again as {_of(again, samples)}"


def _of(some: Sequence[str], samples: Sequence[CountedSample]) -> str:
    return f"{some[0]}, and so for {len(some)} of {len(samples)} images"
