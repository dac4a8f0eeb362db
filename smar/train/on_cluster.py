"""The ranks of a training, begun by Ray Train on the machines of a cluster."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smar.errors import ClusterError, SmarError
from smar.logs import set_up_logging
from smar.params import ClusterParams
from smar.shards.on_ray import connected
from smar.shards.worker import check_versions, facts

logger = logging.getLogger(__name__)

_TRIES = 4


def train_on_ray(
    name: str, rank: Callable[[], None], cluster: ClusterParams, threads: int, work: Path
) -> None:
    """Run a training by `cluster.ranks` processes of a Ray cluster.

    Ray Train places them, each with a GPU where there are as many, and joins them. When one is
    lost, with its machine or by itself, all begin again from the last checkpoint, on machines that
    are left.

    Args:
        name: What the training is called.
        rank: What each of them runs; a function of a module, or a partial of one.
        cluster: Where.
        threads: CPU threads of a rank.
        work: Where Ray Train may write meanwhile: a folder that all machines see.

    Raises:
        ClusterError: If there is no room for so many, or ranks were lost four times.
        SmarError: If a rank says what is wrong.
    """
    work.mkdir(exist_ok=True)
    with (
        connected(cluster, cluster.ranks * threads, is_heard=True) as ray,
        tempfile.TemporaryDirectory(prefix="ray-", dir=work) as storage,
    ):
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        on_gpu = _has_gpus(ray.cluster_resources(), cluster.ranks, threads)
        scaling = ScalingConfig(
            num_workers=cluster.ranks,
            use_gpu=on_gpu,
            resources_per_worker={"CPU": threads} | ({"GPU": 1} if on_gpu else {}),
        )
        for tries in range(1, _TRIES + 1):
            run = RunConfig(name=f"{name}-{tries}", storage_path=storage)
            trainer = TorchTrainer(
                _as_a_rank,
                train_loop_config={"rank": rank, "facts": facts()},
                scaling_config=scaling,
                run_config=run,
            )
            if _ended_well(trainer, name, tries):
                return


def _has_gpus(resources: Mapping[str, float], ranks: int, threads: int) -> bool:
    """Return whether every rank can have a GPU.

    Raises:
        ClusterError: If there are not even CPUs for all: Ray would wait for machines to come.
    """
    cpus = int(resources.get("CPU", 0))
    if cpus < ranks * threads:
        raise ClusterError(
            f"cluster.ranks: {ranks} processes of {threads} CPUs (threads), but the Ray cluster "
            f"has {cpus} CPUs. Lower one of them, or add machines; nothing was changed."
        )
    return int(resources.get("GPU", 0)) >= ranks


def _ended_well(trainer: Any, name: str, tries: int) -> bool:
    """Run the ranks once; False if some were lost and it is worth another try."""
    from ray.train.v2.api.exceptions import TrainingFailedError

    try:
        trainer.fit()
    except TrainingFailedError as error:
        failures = getattr(error, "worker_failures", {}).values()
        causes = [getattr(failure, "_base_exc", failure) for failure in failures]
        for cause in causes:
            if isinstance(cause, SmarError):
                raise cause from error
        reason = str((causes or [error])[0]).strip().splitlines()[-1][:300]
        if tries == _TRIES:
            raise ClusterError(
                f"{name}: ranks were lost {_TRIES} times, the last one with: {reason}. Look at "
                "`ray status`. What was made before is as it was, and the next run goes on from "
                "the last checkpoint."
            ) from error
        logger.warning("%s: a rank was lost, all go on from the last checkpoint: %s", name, reason)
        return False
    return True


def _as_a_rank(asked: dict[str, Any]) -> None:
    """Run one of the ranks, which Ray Train has joined."""
    set_up_logging("smar", is_quiet=False)
    check_versions(asked["facts"])
    asked["rank"]()
