"""Decide what runs a drop-in: torch's own path, or one of our backends."""

from __future__ import annotations

from collections.abc import Sequence

from cellwright.compiler import BackendError, Choice, choose


def choose_engine(backend: str, beyond: Sequence[str]) -> Choice:
    """Return what runs a drop-in, with the reason in words.

    Args:
        backend: what was asked for.
        beyond: what is asked for that torch.nn has not, in words.

    Raises:
        BackendError: for a name that is no backend, and for ``"torch"`` where torch.nn
            has not what is asked for.
    """
    choice = choose(backend, torch_has_it=True)
    if choice.backend != "torch" or not beyond:
        return choice
    listed = ", ".join(beyond)
    if backend == "torch":
        raise BackendError(
            f"backend='torch': torch.nn has no {listed}; take backend='auto'"
        )
    return Choice("reference", f"torch.nn has no {listed}")
