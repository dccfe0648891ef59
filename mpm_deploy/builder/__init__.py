"""From a recipe to an artifact: `build` makes it, `verify` compares it with the eager model.

`doctor` says what this machine can build and run. Nothing is imported here: it also answers where
only running is possible.
"""
