"""The language of cell files: text to graph, with every fault at its place.

`source` cuts a file into statements, `grammar` reads their form, `definitions` lays a
file over its bases, `build` types expressions (`expressions`, with the table of
`functions`) in the right `order`, `assemble` keeps what reaches the output. `cell.Cell`
is the result. No torch; nothing of a file is ever evaluated as Python.
"""
