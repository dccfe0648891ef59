"""Compile models with AOTInductor: machine code in a ``.pt2``, for one kind of processor."""

from mpm_deploy.backends.aotinductor.backend import AotInductor

__all__ = ["AotInductor"]
