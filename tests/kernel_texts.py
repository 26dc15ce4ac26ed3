"""The smallest C texts that the cache of kernels takes."""

from __future__ import annotations

from cellwright.backends.c.key import ABI


def kernel_text(number: int, abi: str = ABI) -> str:
    """Return the text of a kernel whose `run` adds a number to the block's first slot.

    Args:
        number: what it adds.
        abi: how it says that it is to be called.
    """
    return (
        "#include <stdint.h>\n"
        "const char *cellwright_abi(void);\n"
        "int run(const int64_t *slots);\n"
        f'const char *cellwright_abi(void) {{ return "{abi}"; }}\n'
        f"int run(const int64_t *slots) {{ return (int)slots[0] + {number}; }}\n"
    )
