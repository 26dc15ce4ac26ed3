"""Layers: any cell over time, and drop-ins for torch.nn's."""

from .recurrent import Recurrent as Recurrent
