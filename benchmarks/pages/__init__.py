"""Writes what the README and docs say of each record: a module for each kind of record.

A module has `pages`, the files as they should be, and some have `readme`, what stands between two
comments of the README.
"""
