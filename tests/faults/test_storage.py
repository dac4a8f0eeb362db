"""A full disk, a folder that cannot be written, files that are cut off, flipped or gone."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from smar.cli import STAGES
from smar.data import schema
from smar.data.images import ImageStore
from smar.errors import SmarError
from smar.index.hybrid import HybridIndex
from smar.index.store import EmbeddingStore
from smar.models.io import load_model
from smar.paths import Paths
from smar.service.retriever import Retriever

pytestmark = pytest.mark.faults

Change = Callable[[Path, dict[str, Any]], None]
UNSHARE = ["unshare", "--mount", "--user", "--map-root-user"]
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not CAN_MOUNT, reason="needs unshare with user namespaces to mount a tmpfs")
@pytest.mark.parametrize(
    ("way", "message"),
    [("full", "No space left on device"), ("readonly", "Read-only file system")],
)
def test_every_stage_meets_a_disk_that_refuses(
    small_project: Path,
    tmp_path: Path,
    pipeline: ModuleType,
    change_params: Change,
    way: str,
    message: str,
):
    """On a small tmpfs that only the tested process sees."""
    change_params(small_project, {"promote.margin": 1.0, "promote.max_latency_ms": 1e6})
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64m tmpfs {disk} && cp -a {small_project} {disk}/project && "
        f"{sys.executable} -W ignore {pipeline.__file__} {way} {disk}/project"
    )
    result = subprocess.run(
        [*UNSHARE, "sh", "-c", script], capture_output=True, text=True, check=False
    )
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("RESULT")]
    outcomes = {stage: rest for _, stage, *rest in lines}
    assert outcomes == {stage: ["2", "True", "0"] for stage in STAGES}, result.stderr[-3000:]
    assert result.stderr.count(message) >= len(STAGES)
    assert "then run it again; what was complete before is as it was" in result.stderr


def loaders() -> Iterator[tuple[str, str, Callable[[Path], object]]]:
    """Yield the path of every artefact that something loads, and what loads it."""
    tables = {
        "items": schema.ITEMS,
        "queries": schema.QUERIES,
        "searches": schema.SEARCHES,
        "engagements": schema.ENGAGEMENTS,
        "judgements": schema.JUDGEMENTS,
    }
    for name, columns in tables.items():
        yield name, f"data/{name}.parquet", lambda p, c=columns: schema.read_table(p, c)
    yield (
        "synthetic",
        "data/synthetic/queries.parquet",
        lambda p: schema.read_table(p, schema.SYNTHETIC),
    )
    yield "pictures", "data/images", ImageStore.open
    yield "embeddings", "data/embeddings", EmbeddingStore.load
    yield "index", "data/index", HybridIndex.load
    yield "pretrained model", "models/pretrained", load_model
    yield "model", "models/retriever", load_model


def parts(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "flipped at the start": lambda content: flip(content, 0),
    "flipped in the middle": lambda content: flip(content, len(content) // 2),
    "flipped at the end": lambda content: flip(content, len(content) - 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("path", "load"), [pytest.param(p, f, id=n) for n, p, f in loaders()])
def test_damaged_file_is_noticed_when_it_is_loaded(
    small_project: Path, path: str, load: Callable[[Path], object], damage: str
):
    load(small_project / path)
    for file in parts(small_project / path):
        content = file.read_bytes()
        file.write_bytes(DAMAGES[damage](content))
        with pytest.raises(SmarError, match=file.name.partition(".")[0]):
            load(small_project / path)
        file.write_bytes(content)


def test_bit_flipped_anywhere_in_a_table_never_changes_it_silently(small_project: Path):
    file = Paths(small_project).items
    content = file.read_bytes()
    table = schema.read_table(file, schema.ITEMS)
    noticed = 0
    for place in random.Random(0).sample(range(len(content)), 300):
        file.write_bytes(flip(content, place))
        try:
            found = schema.read_table(file, schema.ITEMS)
        except SmarError:
            noticed += 1
        else:  # a bit of the footer that says nothing about the rows
            pd.testing.assert_frame_equal(found, table)
    assert noticed > 200


@pytest.mark.parametrize(("path", "load"), [pytest.param(p, f, id=n) for n, p, f in loaders()])
def test_file_that_is_gone_is_noticed(
    small_project: Path, path: str, load: Callable[[Path], object]
):
    for file in parts(small_project / path):
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(SmarError, match=r"missing|not found|no manifest"):
            load(small_project / path)
        file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_release_is_noticed_and_the_working_tree_still_answers(
    small_project: Path, damage: str
):
    folder = Paths(small_project).releases / "v1"
    for file in parts(folder):
        content = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(DAMAGES[damage](content))
        if file.relative_to(folder).parts[0] in {"model", "index", "items.parquet"}:
            with pytest.raises(SmarError, match="smar verify"):
                Retriever.load(small_project)
        file.write_bytes(content)
    assert Retriever.load(small_project, "none").search("red dress")


def test_deleted_shard_stops_the_next_stage_and_ingest_brings_it_back(
    small_project: Path, capfd: pytest.CaptureFixture[str], pipeline: ModuleType
):
    shard = next(Paths(small_project).images.glob("shard-*.npy"))
    shard.unlink()
    before = pipeline.answer(small_project)
    with pytest.raises(SystemExit) as stopped:
        pipeline.run(small_project, ["embed"])
    assert stopped.value.code == 2
    assert f"{shard.name} is missing" in capfd.readouterr().err
    pipeline.run(small_project, ["ingest", "embed"])
    assert pipeline.answer(small_project) == before
