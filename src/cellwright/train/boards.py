"""What TensorBoard shows of a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SettingsError
from .loop import Event

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """A callback that writes losses and the learning rate for TensorBoard.

    A run that is resumed goes on in the same curves.

    Args:
        folder: Where to; ``tensorboard --logdir`` shows it.

    Raises:
        SettingsError: TensorBoard is not installed.

    Example:
        >>> import tempfile, torch, cellwright as cw
        >>> board = cw.train.TensorBoard(tempfile.mkdtemp())
        >>> x = torch.randn(64, 20, 1)
        >>> model = cw.nn.GRU(1, 1, batch_first=True)
        >>> options = {"callbacks": [board], "epochs": 1, "progress": False}
        >>> cw.train.fit(model, (x, x.cumsum(1)), **options).steps
        2
    """

    reads_pairs = False

    def __init__(self, folder: str | Path):
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise SettingsError(
                f"TensorBoard is not installed ({error})\n"
                "  fix: pip install 'cellwright[tensorboard]'"
            ) from error
        self._make = SummaryWriter
        self._folder = str(folder)
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Open a file of events; write a step or an epoch into it."""
        step = event.state.step
        if event.kind == "end":
            self.close()
        elif event.kind == "begin" or self._writer is None:
            # What an interrupted run wrote beyond its last checkpoint goes.
            self._writer = self._make(self._folder, purge_step=step + 1)
        elif event.kind == "step":
            self._writer.add_scalar("loss/step", event.loss, step)
            self._writer.add_scalar("learning rate", event.loop.learning_rate, step)
        else:
            row = event.state.curve[-1]
            self._writer.add_scalar("loss/training", row.training_loss, step)
            if row.middle_loss is not None:
                self._writer.add_scalar("loss/middle block", row.middle_loss, step)
            self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
