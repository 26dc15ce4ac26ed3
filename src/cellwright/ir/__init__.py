"""The intermediate representation: sizes, the op table, graphs, their checks and text.

Pure Python, no torch. Start with `ops` (what a node may be), then `graph`.
"""
