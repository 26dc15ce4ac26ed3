"""What can go wrong between the first step of a training run and its result."""

from __future__ import annotations

from cellwright.errors import CellwrightError, CellwrightValueError


class SettingsError(CellwrightValueError):
    """A setting that cannot be used, or that does not fit the run it resumes."""


class RunError(CellwrightError, OSError):
    """A result folder that is missing, incomplete, damaged or already in use."""


class CheckpointError(RunError):
    """A checkpoint that could not be written or read."""


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was passed over for the one before it."""


class DivergedError(CellwrightError, ArithmeticError):
    """The loss is no longer a finite number."""


class InterruptedRunError(CellwrightError, KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the run stopped at a checkpoint and can be resumed."""


class InputError(CellwrightValueError):
    """An input that a forecaster cannot take: its shape or its columns."""


class PictureWarning(UserWarning):
    """A picture of a run could not be drawn; its numbers are all there."""


class LockWarning(UserWarning):
    """A file system without locks: two processes may train into one folder."""


class ResumeWarning(UserWarning):
    """A run goes on with other software or threads than it began with."""
