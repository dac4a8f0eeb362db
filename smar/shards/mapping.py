"""A function over shards, here or on a Ray cluster.

What a shard is depends on the data alone, and results come in the order of the shards: where they
were computed cannot be seen from them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from smar.params import ClusterParams

Shard = TypeVar("Shard")
Result = TypeVar("Result")


def map_shards(
    prepare: Callable[[], Callable[[Shard], Result]],
    shards: Iterable[Shard],
    cluster: ClusterParams,
    *,
    threads: int = 1,
    uses_gpu: bool = False,
    here: Callable[[Shard], Result] | None = None,
) -> Iterator[Result]:
    """Yield what a function makes of each shard, in their order.

    Shards are taken from the iterable as there are hands for them, so that neither they nor their
    results are all held at once. Shards of unequal work are balanced, for whoever is done takes the
    next; a worker that dies takes nothing along, for its shard goes to another.

    Args:
        prepare: Returns the function; called once in each process that takes shards, where it loads
            what the function needs. A function of a module, or a partial of one: workers import it.
        shards: What the function takes.
        cluster: Where it is done.
        threads: CPU threads of the function, for which a worker is given CPUs.
        uses_gpu: Whether a worker is given a GPU where the cluster has some.
        here: The function, where this process has it already.

    Raises:
        ClusterError: If the cluster does not answer, runs other code, or loses too many workers.
    """
    if cluster.kind == "ray":
        from smar.shards.on_ray import map_on_ray

        yield from map_on_ray(prepare, shards, cluster, threads=threads, uses_gpu=uses_gpu)
        return
    function = here or prepare()
    for shard in shards:
        yield function(shard)
