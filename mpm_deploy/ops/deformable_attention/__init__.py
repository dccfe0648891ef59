"""Attend to a few places of several grids; so far in the plain version alone."""

from mpm_deploy.ops.deformable_attention.reference import deformable_attention

__all__ = ["deformable_attention"]
