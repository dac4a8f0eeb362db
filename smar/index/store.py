"""Item embeddings on disk: plain npy and parquet, readable without smar.

Shapes: N items, D embedding length.
"""

import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smar.artifacts import Manifest, verify_directory, write_directory
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.text import item_texts
from smar.errors import ArtifactError
from smar.verified import Verified

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

KIND = "embeddings"
PARTS = ("text", "image", "multimodal")
_NORM_TOLERANCE = 1e-3
_BLOCK = 65_536  # rows whose norms are taken at once


@dataclass(frozen=True)
class EmbeddingStore:
    """The embeddings of a catalogue.

    Args:
        item_ids: Ids, in the order of the rows, [N].
        content_shas: What each row was made from, [N].
        text: S_t, float32 unit rows, [N, D].
        image: S_i, unit rows, zero without a picture, [N, D].
        multimodal: S_m, unit rows, [N, D].
        model_sha: Digest of the model that made them.
    """

    item_ids: list[str]
    content_shas: list[str]
    text: NDArray[np.float32]
    image: NDArray[np.float32]
    multimodal: NDArray[np.float32]
    model_sha: str

    @classmethod
    def load(cls, path: Path, verified: Verified | None = None) -> "EmbeddingStore":
        """Return the embeddings of a directory artefact, memory-mapped.

        Args:
            path: The directory.
            verified: Know what was hashed before; None: every file is hashed.

        Raises:
            ArtifactError: If the directory is missing or damaged, the arrays do not fit each other,
                or rows of S_t or S_m are not of unit norm.
        """
        verify = verify_directory if verified is None else verified.verify
        manifest = verify(path, KIND)
        try:
            parts = {
                n: np.load(path / f"{n}.npy", mmap_mode="r", allow_pickle=False) for n in PARTS
            }
            table = schema.read_arrow(path / "items.parquet")
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{path}: cannot be read ({error}). Run `dvc repro` again."
            ) from error
        for name, part in parts.items():
            expected = (len(table), manifest.details["dim"])
            if part.shape != expected or part.dtype != np.float32:
                raise ArtifactError(
                    f"{path / name}.npy: {part.dtype} {part.shape}, expected float32 {expected}. "
                    "Run `dvc repro` again."
                )
            check_unit_rows(part, f"{path / name}.npy", allow_zero=name == "image")
        return cls(
            item_ids=table["item_id"].to_pylist(),
            content_shas=table["content_sha"].to_pylist(),
            model_sha=manifest.details["model_sha"],
            **parts,
        )


def check_unit_rows(rows: NDArray[np.float32], where: str, *, allow_zero: bool = False) -> None:
    """Refuse rows that are not finite or not of unit norm.

    Raises:
        ArtifactError: Says how many rows and shows the first norm.
    """
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    norms = np.concatenate([np.empty(0), *map(_norms, blocks)])
    good = np.abs(norms - 1) <= _NORM_TOLERANCE
    if allow_zero:
        good |= norms == 0
    if not good.all():
        first = int(np.flatnonzero(~good)[0])
        raise ArtifactError(
            f"{where}: {int((~good).sum())} of {len(rows)} rows are not of unit norm (row {first}: "
            f"{norms[first]:.4g}). Make them again with `dvc repro`."
        )


def _norms(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the norms of rows, [n]; read once, which the squares of all of them are not."""
    norms: NDArray[np.float32] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return norms


def write_store(path: Path, store: EmbeddingStore, manifest: Manifest) -> None:
    """Write embeddings as a directory artefact, whole or not at all."""
    manifest.details |= {"dim": int(store.text.shape[1]), "model_sha": store.model_sha}
    with write_directory(path, manifest) as folder:
        for name in PARTS:
            np.save(folder / f"{name}.npy", getattr(store, name), allow_pickle=False)
        write_item_ids(
            folder / "items.parquet", item_id=store.item_ids, content_sha=store.content_shas
        )


def write_item_ids(path: Path, **columns: list[str]) -> None:
    """Write columns of texts, a row per item, with what pandas needs to read them as it wrote."""
    import pandas as pd

    pd.DataFrame(columns).to_parquet(path, index=False)


def content_shas(items: "pd.DataFrame", images: ImageStore) -> list[str]:
    """Return a digest of everything the item towers see: text, and picture files in order."""
    of_picture = np.array(images.sha256, dtype=object)
    return [
        sha256("\n".join([text, *of_picture[ids]]).encode()).hexdigest()
        for text, ids in zip(item_texts(items), items["image_ids"], strict=True)
    ]


def previous_store(
    path: Path, model_sha: str, verified: Verified | None = None
) -> EmbeddingStore | None:
    """Return the embeddings that lie at `path` if the same model made them, else None.

    Args:
        path: The directory.
        model_sha: Digest of the model.
        verified: As of `EmbeddingStore.load`.
    """
    if not path.exists():
        return None
    try:
        store = EmbeddingStore.load(path, verified)
    except (ArtifactError, KeyError) as error:
        logger.warning("previous embeddings are not used: %s", error)
        return None
    if store.model_sha != model_sha:
        logger.info("the model changed: every item is encoded again")
        return None
    return store
