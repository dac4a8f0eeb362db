"""Shards on the machines of a Ray cluster: one actor a worker, which keeps what it has loaded."""

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from smar.errors import ClusterError
from smar.params import ClusterParams
from smar.shards.dispatch import Dispatch, in_order
from smar.shards.worker import Worker, facts

logger = logging.getLogger(__name__)

Shard = TypeVar("Shard")
Result = TypeVar("Result")

_ANSWER_S = 10


def map_on_ray(
    prepare: Callable[[], Callable[[Shard], Result]],
    shards: Iterable[Shard],
    cluster: ClusterParams,
    *,
    threads: int,
    uses_gpu: bool,
) -> Iterator[Result]:
    """Yield what a function makes of each shard, in their order; see `map_shards`."""
    with connected(cluster, cluster.workers * threads) as ray:
        number, start = _workers(ray, prepare, cluster, threads, uses_gpu=uses_gpu)
        dispatch = Dispatch(ray, start, number)
        try:
            yield from in_order(dispatch, shards)
        finally:
            dispatch.end()


@contextmanager
def connected(cluster: ClusterParams, cpus: int, *, is_heard: bool = False) -> Iterator[Any]:
    """Yield Ray, connected to a cluster; what was connected before stays so afterwards.

    Args:
        cluster: Where.
        cpus: CPUs of a cluster of this machine alone; 0 = those that it has.
        is_heard: Whether what workers write is shown here.

    Raises:
        ClusterError: If Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            "cluster.kind is ray, but Ray is not installed: `pip install smar[cluster]`, here and "
            "on every machine of the cluster, or set cluster.kind to local."
        ) from error
    if ray.is_initialized():
        yield ray
        return
    address = cluster.address or os.environ.get("RAY_ADDRESS", "")
    _check_answers(address)
    asked: dict[str, Any] = {"address": address}
    if not address:
        asked = {
            "num_cpus": cpus or None,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        context = ray.init(**asked, log_to_driver=is_heard, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _no_cluster(address, error) from error
    logger.info("ray: job %s%s", ray.get_runtime_context().get_job_id(), _page(context))
    try:
        yield ray
    finally:
        ray.shutdown()


def _page(context: Any) -> str:
    """Return where the cluster's dashboard shows the job, "" if it has none."""
    url = getattr(context, "dashboard_url", None)
    return f", http://{url}/#/jobs" if url else ""


def _check_answers(address: str) -> None:
    """Raise if nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> ClusterError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ClusterError(
        f"cluster.address {address!r}: no Ray cluster of this version answers there "
        f"({reason:.200}). Start one (`ray start --head`, and `ray start --address HOST:PORT` on "
        "further machines), look at `ray status`, or set cluster.kind to local; nothing was "
        f"changed.{_about_token()}"
    )


def _about_token() -> str:
    """Return what to do where the cluster may ask for a token that Ray does not send by itself."""
    has_token = (Path.home() / ".ray" / "auth_token").is_file()
    if "RAY_AUTH_MODE" in os.environ or not has_token:
        return ""
    return (
        " A cluster started where ~/.ray/auth_token exists, as it does here, asks for that token: "
        "RAY_AUTH_MODE=token sends it to an address that is named."
    )


def _workers(
    ray: Any,
    prepare: Callable[[], Callable[[Any], Any]],
    cluster: ClusterParams,
    threads: int,
    *,
    uses_gpu: bool,
) -> tuple[int, Callable[[], Any]]:
    """Return how many workers there are to be, and what starts one.

    Raises:
        ClusterError: If there is no room for any.
    """
    resources = ray.cluster_resources()
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    room = gpus if uses_gpu and gpus else cpus // threads
    number = min(cluster.workers or room, room)
    if number < 1:
        raise ClusterError(
            f"the Ray cluster has {cpus} CPUs, fewer than the {threads} of one worker (threads). "
            "Lower threads, or add machines."
        )
    if cluster.workers > number:
        logger.warning("cluster.workers: %d asked for, room for %d", cluster.workers, number)
    logger.info("ray: %d workers of %d threads on %d machines", number, threads, len(ray.nodes()))
    remote = ray.remote(Worker).options(
        num_cpus=threads, num_gpus=1 if uses_gpu and gpus else 0, max_restarts=0
    )
    return number, partial(remote.remote, prepare, facts())
