"""The folder for sentence-transformers: its maps by hand, the library where it is installed."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from smar.errors import ExportError
from smar.export.sentence_transformers import write_sentence_transformer
from smar.export.tokenizer import whole_tokenizer
from smar.models.dual_encoder import DualEncoder
from smar.params.kinds import GATES

LIBRARY = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
print(json.dumps(model.encode(json.loads(sys.argv[2])).tolist()))
"""


def by_hand(folder: Path, pooled: torch.Tensor) -> torch.Tensor:
    """Return what the folder's modules make of pooled states, divided by both halves' lengths."""
    for name, activation in (("2_Dense", nn.GELU()), ("3_Dense", nn.GLU())):
        told = json.loads((folder / name / "config.json").read_text())["activation_function"]
        assert told == f"torch.nn.modules.activation.{type(activation).__name__}"
        layer = load_file(folder / name / "model.safetensors")
        pooled = functional.linear(pooled, layer["linear.weight"], layer["linear.bias"])
        pooled = activation(pooled)
    unit = functional.normalize(pooled, dim=-1)
    return unit / unit.unflatten(1, (2, -1)).norm(dim=-1).sum(1, keepdim=True)


@pytest.mark.parametrize("gate", list(GATES))
def test_modules_of_the_library_are_tower_and_gate(
    tiny_model: Callable[[], DualEncoder], gate: str, tmp_path: Path
):
    model = tiny_model().eval()
    model.set_gate(gate)
    torch.manual_seed(1)
    for layer in model.gate.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    tokenizer = whole_tokenizer(model.query_tokenizer)
    write_sentence_transformer(tmp_path / "folder", model, tokenizer)
    pooled = torch.randn(20, 24)
    with torch.no_grad():
        vector = functional.normalize(model.query.projection(pooled), dim=-1)
        share = model.gate(pooled).sigmoid()[:, None]
    expected = torch.cat([(1 - share) * vector, share * vector], dim=1)
    assert by_hand(tmp_path / "folder", pooled).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


class Odd(nn.Module):
    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled[:, 0] * pooled[:, 1]


def test_gate_that_is_more_than_the_library_has_is_refused(
    tiny_model: Callable[[], DualEncoder], tmp_path: Path
):
    model = tiny_model()
    model.gate = Odd()
    with pytest.raises(ExportError, match=r"the gate .* is more than a linear map"):
        write_sentence_transformer(tmp_path / "folder", model, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.whole
def test_library_loads_the_folder_without_code_of_its_own(exported: SimpleNamespace):
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("sentence_transformers is not installed: pip install 'smar[quality]'")
    expected = json.loads((exported.folder / "expected.json").read_text())["queries"]
    texts = json.dumps([query["query"].upper() for query in expected])  # as people type
    folder = str(exported.folder / "sentence-transformers")
    command = [sys.executable, "-c", LIBRARY, folder, texts]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "MISSING" not in result.stderr
    vectors = np.array(json.loads(result.stdout.splitlines()[-1]))
    halves = np.linalg.norm(vectors.reshape(len(vectors), 2, -1), axis=2).sum(1, keepdims=True)
    wanted = np.array([query["vector"] for query in expected])
    assert vectors / halves == pytest.approx(wanted, abs=1e-5)
