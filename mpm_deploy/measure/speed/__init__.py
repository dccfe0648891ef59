"""Measures images a second: `bench` lets artifacts take turns, each in an `engine` of
its own process.

bench ─▶ engine ═▶ worker ─▶ report
"""
