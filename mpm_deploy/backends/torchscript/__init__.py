"""Compile models with TorchScript: a ``.pt`` runs wherever libtorch does."""

from mpm_deploy.backends.torchscript.backend import TorchScript

__all__ = ["TorchScript"]
