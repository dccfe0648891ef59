"""Import the package timm, which only a build needs."""

from typing import Any

from mpm_deploy.errors import MissingPackageError


def import_timm(wanting: str = "reading a timm model") -> Any:
    """Import the package timm and return it.

    Args:
        wanting: What needs it, for a message.

    Raises:
        MissingPackageError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingPackageError(
            f"{wanting} needs timm", "pip install 'mpm-deploy[build]'"
        ) from error
    return timm
