"""Holds the parts of a procedural street: camera, light, canvas, and the things that
stand in it.
"""
