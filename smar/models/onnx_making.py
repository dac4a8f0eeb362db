"""Write the graph of a saved model: python -m smar.models.onnx_making MODEL_FOLDER FILE.

It gives way to whatever else the machine does, for a service answers meanwhile.
"""

import os
import sys
from pathlib import Path

from smar.errors import SmarError
from smar.kept_files import forget_unused
from smar.models.io import load_model
from smar.models.onnx_graph import write_query_graph
from smar.models.onnx_kept import KEPT

_NICE = 10


def main(folder: Path, path: Path) -> int:
    """Write a graph and return the exit code; what is wrong is said on standard error."""
    os.nice(_NICE)
    try:
        write_query_graph(load_model(folder), path)
    except SmarError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    forget_unused(path.parent, "*.onnx", KEPT)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
