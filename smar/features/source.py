"""Where a model's item towers take items from: pixels and words, or what was kept of them."""

from pathlib import Path

from smar.artifacts import verify_directory
from smar.data.images import ImageStore
from smar.errors import ArtifactError
from smar.features.store import AGAIN, KIND, PARTS, FeatureRows, FeatureStore
from smar.models.dual_encoder import DualEncoder


def open_source(path: Path, images: ImageStore, model: DualEncoder) -> ImageStore | FeatureStore:
    """Return where a model's item towers take items from: the features that were kept for it.

    Args:
        path: The folder that the stage features wrote.
        images: The picture store.
        model: The model.

    Raises:
        ArtifactError: If the folder is missing or damaged, or was made by another backbone, of
            other pictures or with other settings than the model's.
    """
    frozen = {name: getattr(model, name) for name in PARTS if getattr(model, name).origin.is_frozen}
    if not frozen:
        return images
    made = verify_directory(path, KIND).details
    for name, tower in frozen.items():
        found = made.get(name, {}).get("fingerprint", "")
        if found != tower.origin.fingerprint:
            there = f"those there are of {found[:8]}" if found else "there are none there"
            raise ArtifactError(
                f"{path}: the {name} tower learns from what {tower.source}, frozen, makes of "
                f"{PARTS[name]}: features {tower.origin.fingerprint[:8]}, but {there}, of another "
                f"backbone, size of pictures or setting. {AGAIN}"
            )
    rows = {name: FeatureRows.open(path / name) for name in frozen}
    return FeatureStore(images, rows.get("image"), rows.get("text"))
