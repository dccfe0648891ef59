"""Finds where the time of a model goes, part by part, and from how many tokens on merging pays."""
