"""Says of images none of which could be used what became of the first."""

from collections.abc import Sequence
from pathlib import Path

from mpm_deploy.errors import InputError
from mpm_deploy.measure.speed.report import SkippedImage
from mpm_deploy.run.results import Skipped


def none_usable(where: Path | str, skipped: Sequence[Skipped | SkippedImage]) -> InputError:
    """Return the error for images that were all skipped: not decoded, or the model failed on them.

    Args:
        where: The folder that they are from.
        skipped: Each image, one at least, and why.
    """
    first = skipped[0]
    return InputError(
        f"{where}: none of its {len(skipped)} images could be used; "
        f"the first: {first.path}: {first.reason}"
    )
