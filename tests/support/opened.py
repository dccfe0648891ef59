"""What lies behind an open Runner."""

from typing import Any

from mpm_deploy import Runner


def loaded(runner: Runner) -> Any:
    """What holds the weights of a Runner: a TorchScript module, or a ``.pt2``'s entries by name."""
    return vars(runner._program)["_opened"]._shared.opened
