"""Errors of the networks."""

from cellwright.errors import CellwrightValueError


class SpikeError(CellwrightValueError):
    """Spikes, weights or a setting that do not fit."""

    def __init__(self, where: str, rule: str, found: str, fix: str):
        self.parts = (where, rule, found, fix)
        super().__init__(*self.parts)

    def __str__(self) -> str:
        where, rule, found, fix = self.parts
        return f"{where}: {rule}\n  found  {found}\n  fix    {fix}"
