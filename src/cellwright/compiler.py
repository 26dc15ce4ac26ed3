"""Choose a backend for a graph: the only module that names passes and backends together."""

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


def choose(backend: str) -> Choice:
    """Return the backend that runs, with the reason in words.

    Raises:
        BackendError: for a name that is no backend.
    """
    match backend:
        case "auto":
            return Choice("reference", "the only backend of this version")
        case "reference":
            return Choice("reference", "asked for by backend='reference'")
        case _:
            known = ", ".join(map(repr, BACKENDS))
            raise BackendError(f"backend={backend!r} is none of {known}")
