"""One run of a stage, with what is kept about it."""

import importlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import ModuleType

from smar.errors import ClusterError
from smar.huge_pages import no_huge_pages
from smar.params import Params, load_params
from smar.paths import Paths
from smar.provenance import record
from smar.train.launch import asked_ranks

_BEGUN_BY = "SMAR_BEGUN_BY"  # the process that waits for the ranks


def run_stage(name: str, root: Path) -> dict[str, float]:
    """Run a stage, keep where its outputs come from, and return what it measured of its work.

    A training of several ranks is begun here, unless this process is one of them already.

    Returns:
        `stage_s` of the whole stage; of a training also its own `seconds` and `pairs_per_s`. Empty
        where other processes ran it.

    Raises:
        ClusterError: If the ranks of a training do not all end well, or the environment asks for
            ranks of a stage that has none.
    """
    module = importlib.import_module(f"smar.stages.{name}")
    if asked_ranks() > 1:
        return _as_a_rank(module, name, root)
    params = load_params(Paths(root).params)
    ranks = params.cluster.ranks if module.STAGE.in_ranks else 1
    if ranks == 1:
        return _run(module, name, root)
    if params.cluster.kind == "ray":
        return _begun_on_ray(module, name, root, params)
    return _begun(name, root, ranks)


def _run(module: ModuleType, name: str, root: Path) -> dict[str, float]:
    started = time.perf_counter()
    with nullcontext() if module.STAGE.in_ranks else no_huge_pages():
        times: dict[str, float] = module.run(root) or {}
    times = {"stage_s": round(time.perf_counter() - started, 3)} | times
    record(root, name, module.STAGE.writes, times)
    return times


def _begun(name: str, root: Path, ranks: int) -> dict[str, float]:
    """Run a stage by so many processes of this machine."""
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    stage = ["-m", "smar", name, "--root", str(root.resolve())]
    found = subprocess.run(
        [*program, "--nproc-per-node", str(ranks), *stage],
        env=os.environ | {_BEGUN_BY: str(os.getpid())},
        check=False,
    )
    if found.returncode:
        raise ClusterError(
            f"{name}: not all of {ranks} ranks ended well; the first error above says why. What "
            "was made before is as it was, and the next run goes on from the last checkpoint."
        )
    return {}


def _begun_on_ray(module: ModuleType, name: str, root: Path, params: Params) -> dict[str, float]:
    """Run a stage by so many processes of a Ray cluster."""
    from smar.train.on_cluster import train_on_ray

    rank = partial(_of_a_cluster, name, root.resolve(), module.STAGE.digests(root))
    threads = params.cluster.threads(params.threads)
    train_on_ray(name, rank, params.cluster, threads, Paths(root).work)
    return {}


def _of_a_cluster(name: str, root: Path, inputs: Mapping[str, str]) -> None:
    """Run a stage as one of its ranks, if the project here holds what it was begun with."""
    module = importlib.import_module(f"smar.stages.{name}")
    module.STAGE.expect(root, inputs)
    _as_a_rank(module, name, root)


def _as_a_rank(module: ModuleType, name: str, root: Path) -> dict[str, float]:
    """Run a stage as one of its ranks; all but the first write to a folder that goes away."""
    from smar.train.ranks import joined

    if not module.STAGE.in_ranks:
        raise ClusterError(
            f"{name}: the environment asks for {asked_ranks()} processes (WORLD_SIZE), but only "
            "trainings are run by several. Run it without torchrun."
        )
    if begun_by := os.environ.get(_BEGUN_BY):
        Thread(target=_end_with, args=(int(begun_by),), daemon=True).start()
    with joined() as ranks:
        if ranks.is_first:
            return _run(module, name, root)
        logging.getLogger("smar").setLevel(logging.WARNING)
        with _copy_of(root, module.STAGE.reads) as folder:
            module.run(folder)
    return {}


def _end_with(process: int) -> None:
    """End this process once another has ended: whoever began the ranks may be killed."""
    while True:
        time.sleep(1)
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            os._exit(1)


@contextmanager
def _copy_of(root: Path, reads: Sequence[str]) -> Iterator[Path]:
    """Yield a project that holds what a stage reads, by links, and is gone afterwards."""
    places = {Path(name.partition("/$")[0]) for name in reads} | {Path("params.yaml")}
    with TemporaryDirectory(prefix="smar-rank-") as temporary:
        folder = Path(temporary)
        for place in places:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            if (root / place).exists():
                (folder / place).symlink_to((root / place).resolve())
        yield folder
