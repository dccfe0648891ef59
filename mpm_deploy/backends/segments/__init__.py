"""Cut a model at its merges, for engines whose graphs have no size that depends on the data.

    images ─▶ segment 0 ─▶ buffer of T rows ─▶ segment 1 ─▶ buffer of T' rows ─▶ segment 2 ─▶ scores
                           ▓▓▓▓▓▓▓░░░ T' kept               ▓▓▓▓░░░ T'' kept

A merge writes to the front of a buffer and says how many rows it kept. Whoever runs the segments
reads that number, and hands the front of the buffer to the next: to that it is the size of an input
like any other.

`segment` defines them, `merge` what ends one, `chain` runs them, `export` writes them as ONNX,
`files` packs them into an artifact.
"""
