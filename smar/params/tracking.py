"""tracking.yaml beside params.yaml: where the logged values of a training go.

They are no part of params.yaml, for they change no output: another tracker makes no model stale.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from smar.errors import ParamsError, list_problems
from smar.params.section import Section

FILE = "tracking.yaml"


class Tracking(Section):
    """Settings of tracking.yaml."""

    trackers: list[Literal["tensorboard", "mlflow", "wandb", "dvclive"]] = []
    """Where logged values go beside reports/training; [] = nowhere else."""


def read_tracking(root: Path) -> Tracking:
    """Return what a project's tracking.yaml says; the file need not be there.

    Raises:
        ParamsError: If it cannot be read, names an unknown tracker, or one that is not installed;
            lists all problems.
    """
    path = root / FILE
    if not path.is_file():
        return Tracking()
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        tracking = Tracking.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParamsError(f"{path}: cannot be read: {error}.") from error
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r:.60}"
            for each in error.errors()
        ]
        raise ParamsError(list_problems(f"{path}: nothing was started:", problems)) from error
    missing = [name for name in tracking.trackers if find_spec(name) is None]
    if missing:
        raise ParamsError(
            f"{path}: not installed: {', '.join(missing)}. Nothing was started; "
            f"`pip install {' '.join(missing)}` brings it, or take it out of trackers."
        )
    return tracking
