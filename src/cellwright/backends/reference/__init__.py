"""The truth: the graph, interpreted with torch operations in any dtype on any device.

`ops` says what each op is in torch, `interpret` runs a graph over a sequence, `initial`
computes the first values of parameters and constants.
"""
