"""`smar backbone`: a pretrained model, taken into the project where its content counts."""

import re
import shutil
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smar.errors import ParamsError

LINE = "A pretrained model, taken into backbones/ from a folder or a model hub."
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)*")
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*/config.json", "*/model.safetensors")


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
        folder = Path(source) if is_folder else Path(temporary) / "model"
        if not is_folder:
            _download(source, options.revision, folder)
        if layout_of(folder):
            converted = Path(temporary) / "converted"
            converted.mkdir()
            convert(folder, converted)
            folder = converted
        found = uses(Checkpoint(options.name, folder))
        with replacement(target) as place:
            for pattern in _FILES:
                for file in folder.glob(pattern):
                    copy = place / file.relative_to(folder)
                    copy.parent.mkdir(exist_ok=True)
                    shutil.copyfile(file, copy)
    sys.stdout.write("\n".join([f"{target}:", *(f"  {use}" for use in found)]) + "\n")


def _download(name: str, revision: str, folder: Path) -> None:
    """Download a model from the hub.

    Raises:
        ParamsError: If it is not there, or nothing can be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    reason = ""
    try:
        snapshot_download(
            name, revision=revision or None, local_dir=folder, allow_patterns=list(_FILES)
        )
    except GatedRepoError:
        reason = "asks for permission first: get it on its page, then `hf auth login`"
    except RevisionNotFoundError:
        reason = f"has no revision '{revision}'"
    except (RepositoryNotFoundError, HFValidationError):
        reason = "is neither a folder here nor a model of the hub that you may see"
    except (HfHubHTTPError, OSError) as error:
        reason = f"cannot be reached ({' '.join(str(error).split())[:200]})"
    if reason:
        raise ParamsError(f"backbone: '{name}' {reason}. Nothing was written.")
