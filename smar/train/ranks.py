"""The processes that train one model together, each with a part of every step.

Every rank draws the whole batch, which costs little and is the same for all by seed and step; it
encodes its own part of the items and queries, takes the losses of its own rows of the scores, and
what it makes of both is summed. k ranks so compute the step of one process, not a step of k small
batches: negatives, and what may not stand as one, reach over all of them.

Started by `torchrun`, by Ray Train, or by whatever sets RANK, WORLD_SIZE, MASTER_ADDR and
MASTER_PORT.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from smar.train.launch import asked_ranks

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes of a training, as one of them sees them.

    Args:
        number: How many there are.
        own: This one, counted from 0.
    """

    number: int = 1
    own: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this one writes what the run writes."""
        return self.own == 0

    def part(self, things: Sequence[T]) -> Sequence[T]:
        """Return this rank's part of things: consecutive ones, the same of every list as long."""
        first, last = (len(things) * n // self.number for n in (self.own, self.own + 1))
        return things[first:last]

    def gathered(self, value: T) -> list[T]:
        """Return a value of every rank, in their order."""
        if self.number == 1:
            return [value]
        found: list[T | None] = [None] * self.number
        dist.all_gather_object(found, value)
        return cast("list[T]", found)

    def sent(self, value: T) -> T:
        """Return the first rank's value on all of them."""
        if self.number == 1:
            return value
        content = [value]
        dist.broadcast_object_list(content, src=0)
        return content[0]

    def stacked(self, rows: Tensor) -> list[Tensor]:
        """Return the rows of every rank, in their order; their first sizes may differ."""
        if self.number == 1:
            return [rows]
        if rows.dtype == torch.bool:  # Gloo has no bools
            return [part.bool() for part in self.stacked(rows.to(torch.uint8))]
        sizes = self.gathered(len(rows))
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        found = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(found, padded)
        return [part[:size] for part, size in zip(found, sizes, strict=True)]

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up the gradients of all ranks; what has none on any keeps none."""
        if self.number == 1:
            return
        asked = [each for each in parameters if each.requires_grad]
        known = torch.tensor([each.grad is not None for each in asked], dtype=torch.int32)
        known = known.to(asked[0].device) if asked else known
        dist.all_reduce(known, op=dist.ReduceOp.MAX)
        for each, is_known in zip(asked, known.tolist(), strict=True):
            if is_known:
                each.grad = torch.zeros_like(each) if each.grad is None else each.grad.contiguous()
                dist.all_reduce(each.grad)

    def start_alike(self, module: nn.Module) -> None:
        """Give a module the first rank's numbers on all of them."""
        if self.number > 1:
            for value in module.state_dict().values():
                dist.broadcast(value, src=0)


ALONE = Ranks()


def current_ranks() -> Ranks:
    """Return the ranks that this process has joined; itself alone without any."""
    if not dist.is_available() or not dist.is_initialized():
        return ALONE
    return Ranks(dist.get_world_size(), dist.get_rank())


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that the environment names, by NCCL where each has a GPU, else by Gloo.

    Those that something else has joined, as Ray Train does, stay joined afterwards.
    """
    if asked_ranks() == 1 or dist.is_initialized():
        yield current_ranks()
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = torch.cuda.is_available() and torch.cuda.device_count() > local
    if on_gpu:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield current_ranks()
    finally:
        dist.destroy_process_group()
