"""Makes the room of this file callable: `cellwright.explain(model, x)`.

People expect that call, and the room has the name. Python lets a module be of a class
of its own: docs.python.org, "Data model", "Customizing module attribute access".
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

ROOM = __name__.rpartition(".")[0]


class Called(ModuleType):
    """A module that is the function `explain` of its file `opened`, too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Import that function, which takes torch along, and call it."""
        return import_module(".opened", ROOM).explain(*args, **kwargs)


sys.modules[ROOM].__class__ = Called
