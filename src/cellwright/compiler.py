"""Choose a backend for a graph: here alone passes and backends are named together."""

from __future__ import annotations

from dataclasses import dataclass

from cellwright.errors import CellwrightValueError

BACKENDS = ("auto", "reference")
"""What a layer's ``backend=`` may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it runs."""

    backend: str
    reason: str


class BackendError(CellwrightValueError):
    """A backend that does not exist or cannot run this."""


def choose(backend: str, torch_has_it: bool = False) -> Choice:
    """Return the backend that runs, with the reason in words.

    Args:
        backend: what was asked for.
        torch_has_it: whether torch itself computes this (the drop-ins), so that its
            own path can run too, also by the name ``"torch"``.

    Raises:
        BackendError: for a name that is no backend.
    """
    match backend:
        case "auto" if torch_has_it:
            return Choice("torch", "this version has no kernel of its own")
        case "torch" if torch_has_it:
            return Choice("torch", "asked for by backend='torch'")
        case "auto":
            return Choice("reference", "the only backend of this version")
        case "reference":
            return Choice("reference", "asked for by backend='reference'")
        case _:
            known = ", ".join(map(repr, (*BACKENDS, "torch")[: 2 + torch_has_it]))
            raise BackendError(f"backend={backend!r} is none of {known}")
