"""Layouts of pretrained models other than that of transformers, and how they become one of it.

A layout is a file of this folder with a `convert`. `smar backbone` converts once, when a model is
taken in; whatever comes later knows the layout of transformers alone.
"""

from pathlib import Path

from smar.models.folder_files import read_object
from smar.models.layouts import open_clip, timm

_CONVERTERS = {"open_clip": open_clip.convert, "timm": timm.convert}


def layout_of(folder: Path) -> str:
    """Return the layout of a folder: "open_clip", "timm", or "" for transformers or nothing known.

    A folder that transformers reads without code from elsewhere is none of open_clip, whatever else
    lies in it.
    """
    file = folder / "config.json"
    try:
        content = read_object(file) if file.is_file() else {}
    except ValueError:
        return ""
    own = "model_type" in content and "auto_map" not in content
    has_weights = any(folder.glob("model*.safetensors"))
    if (folder / open_clip.CONFIG).is_file() and not (own and has_weights):
        return "open_clip"
    wrapped = content.get("model_type") == "timm_wrapper"
    if wrapped or ("architecture" in content and not content.get("model_type")):
        return "timm"
    return ""


def convert(folder: Path, place: Path) -> None:
    """Write a folder of another layout as one of transformers.

    Args:
        folder: Of a layout that `layout_of` names.
        place: An empty folder.

    Raises:
        ParamsError: If it cannot be used, or what reads it is not installed.
    """
    _CONVERTERS[layout_of(folder)](folder, place)
