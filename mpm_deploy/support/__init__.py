"""Help every other folder: write files whole, and set the number of threads."""
