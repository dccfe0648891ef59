"""Build an artifact from a recipe: `builder` makes it, `verify` compares it with the eager model.

`doctor` says what this machine can build and run.
"""

from mpm_deploy.build.builder import build, make_model, open_eager

__all__ = ["build", "make_model", "open_eager"]
