"""Shards handed to the workers of a Ray cluster, which may be lost at any time."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from smar.errors import ClusterError

logger = logging.getLogger(__name__)

_TRIES = 4  # workers that one shard may cost before it is taken for what kills them
_EACH = 2  # shards that a worker has at once: one at work, one that waits
_AHEAD = 8  # shards for each worker that are under way or done before the first is
_PATIENCE_S = 600


@dataclass
class Task:
    """A shard on its way.

    Args:
        shard: The shard.
        worker: The actor that has it.
        tries: How many workers had it.
        is_done: Whether `result` is there.
        result: What the function made of it.
    """

    shard: Any
    worker: Any = None
    tries: int = 0
    is_done: bool = False
    result: Any = None


class Dispatch:
    """Hands shards to workers: two each, so that none waits, and the lost ones again.

    Args:
        ray: Ray.
        start: Starts a worker.
        number: How many there are to be.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], number: int) -> None:
        self._ray, self._start = ray, start
        self._ready: list[Any] = []
        self._starting: dict[Any, Any] = {}  # a worker's first answer and the worker
        self._under_way: dict[Any, Task] = {}
        self._again = deque[Task]()
        self._starts = 0  # of workers that were lost before they answered
        self.size = number
        for _ in range(number):
            self._start_one()

    def end(self) -> None:
        """End all workers."""
        for worker in [*self._ready, *self._starting.values()]:
            self._ray.kill(worker)

    @property
    def has_room(self) -> bool:
        """Whether a worker that has answered has less than two shards."""
        return min(self._load(), default=_EACH) < _EACH

    def send(self, task: Task) -> None:
        """Hand a shard to the worker with the least to do."""
        load = self._load()
        task.worker = self._ready[load.index(min(load))]
        task.tries += 1
        self._under_way[task.worker.run.remote(task.shard)] = task

    def receive(self) -> None:
        """Wait for an answer, and send lost shards again.

        Raises:
            ClusterError: If nobody answers, or a shard has cost too many workers.
        """
        asked = [*self._under_way, *self._starting]
        patience = None if self._ready else _PATIENCE_S
        done, _ = self._ray.wait(asked, num_returns=1, timeout=patience)
        if not done:
            raise ClusterError(
                f"no worker of the Ray cluster began within {_PATIENCE_S // 60} minutes: look at "
                "`ray status` for machines that are gone or taken. What was made before is as it "
                "was."
            )
        for answer in done:
            if answer in self._starting:
                self._began(answer)
            else:
                self._ended(answer)
        while self._again and self.has_room:
            self.send(self._again.popleft())

    def _load(self) -> list[int]:
        """Return how many shards each worker has that has answered."""
        having = [task.worker for task in self._under_way.values()]
        return [having.count(worker) for worker in self._ready]

    def _start_one(self) -> None:
        worker = self._start()
        self._starting[worker.answer.remote()] = worker

    def _began(self, answer: Any) -> None:
        """Count on a worker; start another if it is lost already."""
        worker = self._starting.pop(answer)
        try:
            self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            self._starts += 1
            if self._starts > _TRIES * self.size:
                raise ClusterError(
                    "workers of the Ray cluster end as they begin: "
                    f"{str(error).strip().splitlines()[-1]:.300}. Is the same smar[cluster] "
                    "installed on every machine?"
                ) from error
            self._start_one()
        else:
            self._ready.append(worker)

    def _ended(self, answer: Any) -> None:
        """Take a result; a shard whose worker was lost waits for another."""
        errors, task = self._ray.exceptions, self._under_way.pop(answer)
        try:
            task.result = self._ray.get(answer)
        except errors.RayTaskError as error:
            raise error.cause from error
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError,
                errors.OutOfMemoryError, errors.NodeDiedError) as error:  # fmt: skip
            if task.worker in self._ready:
                self._ready.remove(task.worker)
                self._ray.kill(task.worker)
                self._start_one()
            _check_tries(task, error)
            self._again.append(task)
        else:
            task.is_done, task.shard = True, None


def _check_tries(task: Task, error: Exception) -> None:
    """Raise if a shard has cost too many workers."""
    reason = str(error).strip().splitlines()[-1][:200]
    if task.tries == _TRIES:
        raise ClusterError(
            f"a shard ended {_TRIES} workers of the Ray cluster, one after the other ({reason}). "
            "It may need more memory than they have (embed.batch_size, features.tokens), or the "
            "cluster is being taken down (`ray status`). What was made before is as it was."
        ) from error
    logger.warning("ray: a worker was lost, its shard goes to another: %s", reason)


def in_order(dispatch: Dispatch, shards: Iterable[Any]) -> Iterator[Any]:
    """Yield results in the order of the shards, keeping every worker busy."""
    waiting, source = deque[Task](), iter(shards)
    is_open = True
    while is_open or waiting:
        while is_open and dispatch.has_room and len(waiting) < _AHEAD * dispatch.size:
            try:
                waiting.append(Task(next(source)))
            except StopIteration:
                is_open = False
                break
            dispatch.send(waiting[-1])
        if is_open or waiting:
            dispatch.receive()
        while waiting and waiting[0].is_done:
            yield waiting.popleft().result
