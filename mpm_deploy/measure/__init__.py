"""Measures what an artifact is worth on this machine: how fast it is, and how accurate.

    speed/      bench ─▶ engine ═▶ worker     images a second; each artifact has its own process
    accuracy/   evaluate ─▶ tally, state      mIoU on a data set
    profile/    profile ─▶ stopwatch          where the time goes, part by part
    search/     sweep, advise                 both, of one way of merging after another

`report`, `sweep` and `profile` are the documents that a bench, a sweep and a profile write.
"""
