"""Where batches come from: examples, fresh draws, or windows along a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cellwright.tasks import Examples

from .errors import SettingsError
from .recipe import is_whole, whole


def tensors(owner: str, **given: object) -> None:
    """Refuse data that are no tensors.

    Raises:
        SettingsError: Names what is none.
    """
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise SettingsError(
                f"{owner}: {name} is a tensor; found {type(value).__name__}\n"
                f"  fix: torch.as_tensor({name})"
            )


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        x: The input.
        y: The target.
        lengths: Steps of each row, where they differ; the model is called with them.
        axis: Of the rows in ``x``.
        target_axis: Of the rows in ``y``.
        continues: Whether the rows go on where those of the batch before stood.
        seen: Steps at the end of ``x`` that are only there in later batches again; the
            state before them is what the next batch begins with.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    axis: int = 0
    target_axis: int = 0
    continues: bool = False
    seen: int = 0

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.x.shape[self.axis]

    @property
    def count(self) -> int:
        """How many numbers its loss is the mean of."""
        return self.y.numel()

    def part(self, index: int, of: int) -> Batch:
        """Return the rows that one of several processes takes, as equal as may be."""
        begin, end = self.rows * index // of, self.rows * (index + 1) // of
        return Batch(
            self.x.narrow(self.axis, begin, end - begin),
            self.y.narrow(self.target_axis, begin, end - begin),
            None if self.lengths is None else self.lengths[begin:end],
            self.axis,
            self.target_axis,
            self.continues,
            self.seen,
        )


class Source(Protocol):
    """Batches, epoch after epoch.

    What an epoch depends on is drawn at its begin and kept in checkpoints as a tensor;
    further draws come from torch's own generator. So a run that was stopped anywhere
    goes on with the very batch that would have come.
    """

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        ...

    @property
    def carries(self) -> bool:
        """Whether states go from a batch to the next."""
        ...

    def order(self) -> Tensor:
        """Draw what the coming epoch depends on."""
        ...

    def batch(self, order: Tensor, index: int) -> Batch:
        """Return one batch of the epoch."""
        ...


@dataclass(frozen=True)
class Tensors:
    """Examples at hand, shuffled anew in each epoch.

    Args:
        x: Inputs, an example a row.
        y: Targets, likewise.
        batch_size: Examples of a batch; the last batch of an epoch has the rest.
        shuffle: Whether each epoch has an order of its own.
        carry: Whether row r of a batch goes on where row r of the batch before ended,
            within an epoch; the model's states are carried along.
        batch_first: Whether the rows of ``x`` are its first axis, else its second.
        lengths: Steps of each example, where they differ.

    Shape:
        - x: ``[N, ...]``, or ``[T, N, ...]`` unless ``batch_first``.
        - y: as x where it has a target at every step, else ``[N, ...]``.

    Raises:
        SettingsError: The numbers of rows differ, or rows that carry states would not
            keep their places.
    """

    x: Tensor
    y: Tensor
    batch_size: int = 32
    shuffle: bool = True
    carry: bool = False
    batch_first: bool = True
    lengths: Tensor | None = None

    def __post_init__(self) -> None:
        tensors("Tensors", x=self.x, y=self.y)
        whole("batch_size", self.batch_size, 1)
        rows = {"x": self._count, "y": self.y.shape[self._target_axis]}
        if self.lengths is not None:
            rows["lengths"] = len(self.lengths)
        if len(set(rows.values())) > 1:
            found = ", ".join(f"{name} has {n}" for name, n in rows.items())
            raise SettingsError(
                f"Tensors: x and y have the same number of rows; found {found}\n"
                "  fix: batch_first=False where the rows are the second axis of x"
            )
        steps, two = self.x.shape[0], self.y.dim() == 2
        if not self.batch_first and steps == self._count and two:
            raise SettingsError(
                "Tensors: y has the rows first, or a target at every step; found "
                f"y of {list(self.y.shape)} for x of {list(self.x.shape)}, which may "
                "be either\n  fix: y[..., None] for a target at every step, or "
                "batch_first=True"
            )
        if not self._count:
            raise SettingsError("Tensors: there is at least one example; found none")
        if self.carry and self.lengths is not None:
            raise SettingsError(
                "Tensors: a state that is carried is that behind the last step of x; "
                "found carry=True with lengths=, whose rows end before\n"
                "  fix: TruncatedBPTT along each sequence, or carry=False"
            )
        if self.carry and self.shuffle:
            raise SettingsError(
                "Tensors: carried states belong to the rows of a batch, so rows keep "
                "their places; found carry=True with shuffle=True\n"
                "  fix: shuffle=False, with rows ordered so that row r of each batch "
                "goes on where row r of the one before ended"
            )
        if self.carry and self._count % self.batch_size:
            raise SettingsError(
                "Tensors: the batch size stays the same while states are carried; "
                f"found {self._count} rows in batches of {self.batch_size}, the last "
                f"of {self._count % self.batch_size}\n"
                "  fix: a batch_size that divides the rows, or fewer rows"
            )

    @property
    def _axis(self) -> int:
        return 0 if self.batch_first else 1

    @property
    def _target_axis(self) -> int:
        every_step = self.y.shape[:2] == self.x.shape[:2]
        return self._axis if every_step else 0

    @property
    def _count(self) -> int:
        return self.x.shape[self._axis]

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-self._count // self.batch_size)

    @property
    def carries(self) -> bool:
        """Whether states go on from batch to batch."""
        return self.carry

    def order(self) -> Tensor:
        """Draw an order of the examples."""
        return (
            torch.randperm(self._count) if self.shuffle else torch.arange(self._count)
        )

    def batch(self, order: Tensor, index: int) -> Batch:
        """Return the examples of one batch."""
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        return Batch(
            self.x.index_select(self._axis, chosen.to(self.x.device)),
            self.y.index_select(self._target_axis, chosen.to(self.y.device)),
            None if self.lengths is None else self.lengths[chosen],
            self._axis,
            self._target_axis,
            continues=self.carry and index > 0,
        )


class Draws(Protocol):
    """What makes examples, such as `cellwright.tasks.Adding`."""

    def draw(self, count: int) -> Examples:
        """Draw so many, by torch's own generator."""
        ...


@dataclass(frozen=True)
class Drawn:
    """Examples that are drawn when they are needed, and never come again.

    Args:
        task: Draws them; time comes first.
        batch_size: Examples of a batch.
        batches: Of an epoch.
    """

    task: Draws
    batch_size: int = 32
    batches: int = 100

    def __post_init__(self) -> None:
        whole("batch_size", self.batch_size, 1)
        whole("batches", self.batches, 1)

    @property
    def carries(self) -> bool:
        """Each row is an example of its own."""
        return False

    def order(self) -> Tensor:
        """Return nothing: an epoch depends on no draw of its own."""
        return torch.empty(0)

    def batch(self, order: Tensor, index: int) -> Batch:  # noqa: ARG002
        """Draw a batch."""
        drawn = self.task.draw(self.batch_size)
        rows = drawn.target.dim() - 2
        return Batch(drawn.x, drawn.target, drawn.lengths, 1, rows)


@dataclass(frozen=True)
class TruncatedBPTT:
    """Windows that walk along a stream; the states go on from each to the next.

    The stream is cut into ``batch_size`` pieces of equal length that are learned from
    side by side. A window is ``window`` steps of each piece, and the next one begins
    ``stride`` steps later. A gradient reaches back to the first step of its window and
    no further: there the state is a number (it is detached). Each target counts once:
    of a window that overlaps the one before, the new steps alone.

    Args:
        x: The stream's inputs.
        y: Its targets, one a step.
        window: Steps that a gradient reaches back over, at most.
        stride: Steps from a window to the next; ``window`` if None.
        batch_size: Pieces that run side by side.
        carry: Whether states go on from window to window; else each begins with the
            first states, and knows nothing from before.
        batch_first: The layout that the model takes.

    Shape:
        - x: ``[N, ...]``, N steps; the model gets ``[T, B, ...]``, or ``[B, T, ...]``.
        - y: ``[N, ...]``, and likewise.
    """

    x: Tensor
    y: Tensor
    window: int
    stride: int | None = None
    batch_size: int = 1
    carry: bool = True
    batch_first: bool = False

    def __post_init__(self) -> None:
        tensors("TruncatedBPTT", x=self.x, y=self.y)
        for name in ("window", "batch_size"):
            whole(name, getattr(self, name), 1)
        if len(self.x) != len(self.y):
            raise SettingsError(
                "TruncatedBPTT: a stream has a target at every step; found "
                f"{len(self.x)} inputs and {len(self.y)} targets"
            )
        if not (is_whole(self._stride) and 1 <= self._stride <= self.window):
            raise SettingsError(
                "TruncatedBPTT: windows touch or overlap, 1 <= stride <= window; found "
                f"window={self.window}, stride={self.stride}"
            )
        if self._steps < self.window:
            raise SettingsError(
                "TruncatedBPTT: a window is no longer than the stream; found "
                f"window={self.window} and {len(self.x)} steps in "
                f"batch_size={self.batch_size} pieces of {self._steps}\n"
                "  fix: a shorter window, or fewer pieces"
            )

    @property
    def _stride(self) -> int:
        return self.window if self.stride is None else self.stride

    @property
    def _steps(self) -> int:
        return len(self.x) // self.batch_size

    @property
    def batches(self) -> int:
        """Windows of an epoch; steps that fill none are left out."""
        return 1 + (self._steps - self.window) // self._stride

    @property
    def carries(self) -> bool:
        """Whether states go on from window to window."""
        return self.carry

    def order(self) -> Tensor:
        """Return nothing: windows come in the order of time."""
        return torch.empty(0)

    def batch(self, order: Tensor, index: int) -> Batch:  # noqa: ARG002
        """Return one window of every piece, and the targets that are new in it."""
        begin = index * self._stride
        overlap = self.window - self._stride if index else 0
        axis = 0 if self.batch_first else 1
        return Batch(
            self._cut(self.x, begin, self.window),
            self._cut(self.y, begin + overlap, self.window - overlap),
            axis=axis,
            target_axis=axis,
            continues=index > 0 and self.carry,
            seen=self.window - self._stride,
        )

    def _cut(self, stream: Tensor, begin: int, steps: int) -> Tensor:
        pieces = stream[: self._steps * self.batch_size].unflatten(
            0, (self.batch_size, self._steps)
        )
        cut = pieces.narrow(1, begin, steps)
        return cut if self.batch_first else cut.transpose(0, 1)
