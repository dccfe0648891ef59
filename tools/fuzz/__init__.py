"""Fuzzing: every reader of foreign bytes, in both languages, and the two against each other.

    python -m tools.fuzz --seconds 75             a short turn of all; what `make test-all` does
    python -m tools.fuzz --count 1000000 libfuzzer:png python:manifest differential:jpeg

    make_corpus ─▶ libfuzzer        C++ alone, with sanitizers: cpp/fuzz_*.cpp, dictionaries/
    of formats     python_readers   Python alone: all but an MpmError is a fault
                   differential     one input read by both: cpp/driver.cpp

`formats` says what there is to read: its seeds, its mutator, Python's reader of it. The nth input
of a seed is always the same one. What breaks a reader, or parts the two, is kept in
``build/fuzz/faults/``, shrunk where that is simple; `findings` counts it.
"""
