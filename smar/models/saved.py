"""What the folder of a saved model says of itself; nothing here imports torch.

config.json holds the configs of the backbones and the preprocessing, model.safetensors the weights,
*_tokenizer.json the tokenizers, and probe.safetensors the embeddings of fixed inputs, which whoever
loads the model computes again (`io`, `onnx`).
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from smar.artifacts import digest, read_manifest
from smar.errors import ArtifactError
from smar.models.tokenizer import TextTokenizer

KIND = "model"
PROBE_TEXTS = ("red striped dress", "usb c cable 2m", "sofa")
PROBE_TOLERANCE = 1e-3
CONFIG, PROBE = "config.json", "probe.safetensors"


def tokenizer_file(name: str) -> str:
    """Return the file of a tower's tokenizer, "query" or "text"."""
    return f"{name}_tokenizer.json"


def read_tokenizer(folder: Path, name: str) -> TextTokenizer:
    """Return the tokenizer of a tower, "query" or "text".

    Raises:
        ArtifactError: If its files are missing or damaged.
    """
    _check(folder, CONFIG, tokenizer_file(name))
    settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["tokenizers"][name]
    return TextTokenizer(Tokenizer.from_file(str(folder / tokenizer_file(name))), **settings)


def read_probe(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings that the model gave of fixed inputs when it was saved, by name.

    Raises:
        ArtifactError: If the file is missing or damaged.
    """
    _check(folder, PROBE)
    try:
        return dict(load_file(folder / PROBE))
    except SafetensorError as error:
        raise ArtifactError(f"{folder / PROBE}: cannot be read ({error}).") from error


def _check(folder: Path, *names: str) -> None:
    """Refuse files of a saved model that are not what was written.

    Raises:
        ArtifactError: Names them.
    """
    files = read_manifest(folder, KIND).files
    changed = [name for name in names if digest(folder / name) != files[name]["sha256"]]
    if changed:
        raise ArtifactError(
            f"{folder}: the content of {', '.join(changed)} is not what was written. Restore it "
            "with `dvc checkout`, or make it again with `dvc repro`."
        )
