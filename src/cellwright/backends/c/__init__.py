"""The fast backend: one plain C11 kernel a cell, built by the system's compiler.

`vectors.h` and `functions.h` stand in front of every kernel: vectors of floats or
doubles, what moves them, and the elementwise functions with their accuracy.
"""
