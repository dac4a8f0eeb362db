"""`smar backbone`: a pretrained model, taken into the project where its content counts."""

import re
import shutil
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from smar.errors import ParamsError

if TYPE_CHECKING:
    from smar.models.hub import Hub
    from smar.models.pretrained import Checkpoint

LINE = "A pretrained model, taken into backbones/ from a folder or a model hub."
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)*")
_SMALL = ("*.json", "*.txt", "*.model", "*/config.json", "*/model.safetensors")
_FILES = (*_SMALL, "*.safetensors")


def add_command(commands: Any, shared: ArgumentParser) -> None:
    """Add the command with its arguments to the commands of a parser."""
    parser = commands.add_parser("backbone", help=LINE, description=LINE, parents=[shared])
    parser.add_argument("name", help="what params.yaml will call it, for example e5-small")
    parser.add_argument(
        "source", nargs="?", default="", help="a folder, or a hub name (default: NAME on the hub)"
    )
    parser.add_argument("--revision", default="", help="of a hub name: commit, tag or branch")


def run(options: Namespace) -> None:
    """Copy a model into `backbones/NAME.model` and print what it can be.

    Raises:
        ParamsError: If there is none, or it cannot be used; nothing is written then.
    """
    from smar.models.hub import Hub
    from smar.models.layouts import convert, layout_of
    from smar.models.pretrained import SUFFIX, Checkpoint
    from smar.models.pretrained_checks import uses
    from smar.replace import replacement

    if not _NAME.fullmatch(options.name):
        raise ParamsError(
            f"backbone: '{options.name}' is no name; expected letters, digits, '.', '_', '-', with "
            "'/' between parts, for example intfloat/e5-small-v2."
        )
    target = options.root / "backbones" / f"{options.name}{SUFFIX}"
    source = options.source or options.name
    with TemporaryDirectory(prefix="smar-backbone-") as temporary:
        is_folder = Path(source).is_dir()
        if is_folder and options.revision:
            raise ParamsError(
                f"backbone: --revision {options.revision} of {source}, which is a folder here; a "
                "folder has none. Leave it out, or name a model of the hub."
            )
        folder = Path(source) if is_folder else Path(temporary) / "model"
        if not is_folder:
            _download(Hub(source, options.revision), Checkpoint(options.name, folder))
        if layout_of(folder):
            converted = Path(temporary) / "converted"
            converted.mkdir()
            convert(folder, converted)
            folder = converted
        checkpoint = Checkpoint(options.name, folder)
        found = uses(checkpoint)
        _prove(checkpoint)
        with replacement(target) as place:
            for pattern in _FILES:
                for file in folder.glob(pattern):
                    copy = place / file.relative_to(folder)
                    copy.parent.mkdir(exist_ok=True)
                    shutil.copyfile(file, copy)
    sys.stdout.write("\n".join([f"{target}:", *(f"  {use}" for use in found)]) + "\n")


def _prove(checkpoint: "Checkpoint") -> None:
    """Load what towers can start from, so that weights of another model are told of now."""
    from smar.models.backbone import load_pretrained
    from smar.models.pretrained_checks import usable_parts

    for part in usable_parts(checkpoint):
        load_pretrained(checkpoint, part)


def _download(hub: "Hub", checkpoint: "Checkpoint") -> None:
    """Download a model into its folder; what cannot be used is refused before its weights come."""
    from smar.models.layouts import layout_of
    from smar.models.pretrained_checks import uses

    coming = hub.files()
    hub.fetch(checkpoint.folder, _SMALL)
    if not layout_of(checkpoint.folder):
        uses(checkpoint, coming)
    hub.fetch(checkpoint.folder, _FILES)
