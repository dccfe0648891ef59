"""Measures what an artifact is worth on this machine: how fast it is, and how accurate.

    bench ─▶ engine ═▶ worker          images a second; each artifact has a process of its own
    evaluate ─▶ confusion, tally       mIoU on a data set
    sweeper ─▶ variants                both, of one way of merging after another
    advise ─▶ sweeper                  the best of them, measuring only what may be it

`report` and `sweep` are the documents that a bench and a sweep write.
"""
