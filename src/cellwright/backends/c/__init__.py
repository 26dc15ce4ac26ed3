"""The fast backend: plain C11, built on the machine where it runs and kept on its disk.

`emit` writes a schedule as C, around `kernel.c` and the headers beside it; `kernel`
calls what was built, and `program` is a cell in both directions. `levels` knows what a
processor can do, `toolchain` finds a compiler and runs it, `folder` says where kernels
lie, `key` which of them is meant, `cache` builds each of them once and loads it, and
`inventory` lists and removes what is there.
"""
