"""What an artifact is worth on this machine: how fast it is, and how right.

    bench ─▶ engine ═▶ worker      images a second; each artifact has a process of its own
    evaluate ─▶ confusion, tally   mIoU on a data set

`report` is the document that a bench writes.
"""
