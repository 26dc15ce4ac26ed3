"""Several processes that train one model: each takes its share of every batch.

``torchrun`` starts them and says which is which. They draw the same numbers and cut the
same batches, so a run of two has the losses of a run of one with the same batches.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from cellwright.errors import CellwrightError

from .batches import Batch
from .errors import SettingsError

T = TypeVar("T")

TORCHRUN = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""What ``torchrun`` sets, beside the number of processes."""


@dataclass(frozen=True)
class Group:
    """The processes of a run.

    Attributes:
        rank: Which of them this one is.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Give every process the sum of all processes' gradients.

        Once a step, for all weights together. A weight that no process has used has
        none; one that some have not used counts as 0 there.
        """
        if self.size == 1:
            return
        used = self.any(*(weight.grad is not None for weight in weights))
        some = [
            weight for weight, is_used in zip(weights, used, strict=True) if is_used
        ]
        for weight in some:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        grads = [weight.grad for weight in some if weight.grad is not None]
        if not grads:
            return
        total = self.total(torch.cat([grad.reshape(-1) for grad in grads]))
        sizes = [grad.numel() for grad in grads]
        for grad, part in zip(grads, total.split(sizes), strict=True):
            grad.copy_(part.view_as(grad))

    def share(self, values: Sequence[Tensor]) -> None:
        """Give every process the leading one's values, in place."""
        if self.size > 1:
            for value in values:
                dist.broadcast(value.detach(), 0)

    def told(self, work: Callable[[], T]) -> T:
        """Let the leading process do something, and give all what came of it.

        An error of ours or of the system that it ends in is raised in all of them.
        """
        if self.size == 1:
            return work()
        box: list[Any] = [None, None]
        if self.leads:
            try:
                box[0] = work()
            except (CellwrightError, OSError) as error:
                box[1] = error
        dist.broadcast_object_list(box, 0)
        if box[1] is not None:
            raise box[1]
        return box[0]

    @contextmanager
    def own_randomness(self, *place: object) -> Iterator[None]:
        """Draw numbers of this process' own, and leave those that all share alone.

        Shares of a batch differ in size, so what a dropout draws for them would leave
        each process with another order of the next epoch.

        Args:
            place: Where in the run this is; the same place has the same numbers.
        """
        if self.size == 1:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Random(f"{place} {self.rank}").getrandbits(32))
            yield

    def part(self, batch: Batch) -> tuple[Batch, float]:
        """Return the rows of this process, and their share in the batch.

        Where there are fewer rows than processes, some look on: they take a row, whose
        share is 0.

        Raises:
            SettingsError: There are too few rows, and states are carried by them.
        """
        if self.size == 1:
            return batch, 1.0
        if batch.rows >= self.size:
            mine = batch.part(self.rank, self.size)
            return mine, mine.rows / batch.rows
        if batch.continues:
            raise SettingsError(
                "rows that carry states are shared out among processes; found "
                f"{batch.rows} rows for {self.size} processes\n"
                "  fix: fewer processes, or a larger batch_size"
            )
        looks_on = self.rank >= batch.rows
        mine = batch.part(0 if looks_on else self.rank, batch.rows)
        return mine, 0.0 if looks_on else 1 / batch.rows

    def own(self, value: Tensor, axis: int) -> Tensor:
        """Return the rows of this process among those of all."""
        rows = value.shape[axis]
        begin, end = (rows * (self.rank + i) // self.size for i in (0, 1))
        return value.narrow(axis, begin, end - begin)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.size > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
        return value

    def led(self, value: float) -> float:
        """Return the leading process' value: one decides where all must go one way."""
        own = torch.tensor(value if self.leads else 0.0, dtype=torch.float64)
        return value if self.size == 1 else self.total(own).item()

    def any(self, *flags: bool) -> list[bool]:
        """Say of each flag whether any process has it."""
        if self.size == 1:
            return list(flags)
        return (self.total(torch.tensor(flags, dtype=torch.int32)) > 0).tolist()

    def first(self, text: str) -> str:
        """Return the first text that is not empty, by rank."""
        if self.size == 1:
            return text
        texts = [""] * self.size
        dist.all_gather_object(texts, text)
        return next(filter(None, texts), "")

    def joined(self, value: Tensor, axis: int) -> Tensor:
        """Return the rows of all processes behind one another."""
        if self.size == 1:
            return value
        sizes = [None] * self.size
        dist.all_gather_object(sizes, value.shape[axis])
        most = max(int(n or 0) for n in sizes)
        missing = most - value.shape[axis]
        shape = [*value.shape[:axis], missing, *value.shape[axis + 1 :]]
        padded = torch.cat([value, value.new_zeros(shape)], axis).contiguous()
        found = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(found, padded)
        pairs = zip(found, sizes, strict=True)
        return torch.cat([v.narrow(axis, 0, int(n or 0)) for v, n in pairs], axis)

    def wait(self) -> None:
        """Go on when all have come here."""
        # A barrier of torch's would take a GPU for it where there is one.
        self.any(False)


def _size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def joined_by_torchrun() -> Group:
    """Join the processes that ``torchrun`` started; alone without it.

    They stay joined until the process ends: who leaves and joins again may meet, in
    torchrun's store, where the others were the time before.

    Raises:
        SettingsError: The environment says that there are others, and not where.
    """
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    if _size() == 1:
        return Group()
    missing = [name for name in TORCHRUN if name not in os.environ]
    if missing:
        raise SettingsError(
            f"WORLD_SIZE={_size()} asks for several processes, and {missing[0]} is not "
            "set\n  fix: torchrun --nproc-per-node N ..., or unset WORLD_SIZE"
        )
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    )
    atexit.register(_leave)
    return Group(dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    if dist.is_initialized():  # Unless the caller has left before.
        dist.destroy_process_group()
