"""Holds what the members of the bench share.

member     what a member is: options ─▶ measure ─▶ tables on the console, and a record
cache      what is built and converted, once for each state of the sources
turns      engines in processes of their own, which take turns pass by pass
agreement  label maps against each other, and against true ones
ceilings   how fast this machine multiplies matrices and copies
targets    what was wanted and what was reached
tables     rows and targets as tables, and tables as text
"""
