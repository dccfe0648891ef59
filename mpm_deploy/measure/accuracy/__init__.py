"""Measures how accurate an artifact is: `evaluate` compares its label maps with a data set's."""
