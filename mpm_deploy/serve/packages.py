"""Say in one sentence which packages serving needs, where they are not installed."""

from importlib.util import find_spec

from mpm_deploy.errors import MissingPackageError

_NEEDED = ("kserve", "fastapi", "uvicorn", "grpc", "grpc_interceptor", "prometheus_client")


def check_packages() -> None:
    """Look whether everything is there that the modules of this room import.

    Raises:
        MissingPackageError: Something is not.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"serving needs {', '.join(missing)}", "pip install 'mpm-deploy[serve]'"
        )
