"""Say what a bench does unless told; the command line reads it before anything heavy."""

BATCH_SIZES = (1, 2, 32)
REPEATS = 3  # turns of each artifact
