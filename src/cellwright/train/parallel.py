"""Several processes that train one model: each takes its share of every batch.

``torchrun`` starts them and says which is which. They draw the same numbers and cut the
same batches, so a run of two has the losses of a run of one with the same batches.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .batches import Batch
from .errors import SettingsError


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

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what to call in training: its gradients are those of all processes.

        What is returned must be dropped before the group ends.
        """
        return model if self.size == 1 else DistributedDataParallel(model)

    def agree(self, model: nn.Module) -> None:
        """Give every process the leading one's weights."""
        if self.size > 1:
            for value in model.state_dict().values():
                dist.broadcast(value, 0)

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

    def part(self, batch: Batch) -> Batch:
        """Return the rows of this process.

        Raises:
            SettingsError: There are fewer rows than processes.
        """
        if self.size == 1:
            return batch
        if batch.rows < self.size:
            raise SettingsError(
                "each process takes its share of every batch; found a batch of "
                f"{batch.rows} rows for {self.size} processes\n"
                "  fix: fewer processes, or a batch_size that leaves no small rest"
            )
        return batch.part(self.rank, self.size)

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
        return self.total(torch.tensor(value if self.leads else 0.0).double()).item()

    def any(self, *flags: bool) -> list[bool]:
        """Say of each flag whether any process has it."""
        if self.size == 1:
            return list(flags)
        return (self.total(torch.tensor(flags, dtype=torch.int32)) > 0).tolist()

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


def leads() -> bool:
    """Say whether this process is the one that reports, alone or under ``torchrun``."""
    return _size() == 1 or os.environ["RANK"] == "0"


def _size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined_by_torchrun() -> Iterator[Group]:
    """Join the processes that ``torchrun`` started; alone without it."""
    size = _size()
    if size == 1 or dist.is_initialized():
        yield Group(dist.get_rank(), dist.get_world_size()) if size > 1 else Group()
        return
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    )
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        # A wrapped model that lives on would be what ends the group, and it holds
        # Python's lock while it waits for gloo's thread, which may wait for that lock
        # (torch 2.13): one process in twenty never ended.
        gc.collect()
        dist.destroy_process_group()
