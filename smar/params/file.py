"""params.yaml read and checked; all problems at once, with the near match."""

from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from smar.errors import ParamsError, list_problems, near_match
from smar.params.upgrade import is_earlier
from smar.params.whole import Params

# The same in C, which reads the file five times as fast, where PyYAML was built with it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UPGRADE = (
    "Keys of an earlier version are among them: `smar params --upgrade` rewrites the file and "
    "keeps its values and comments"
)


def load_params(path: Path) -> Params:
    """Return the parameters of a params.yaml.

    Raises:
        ParamsError: If the file is missing or not YAML, or any key is unknown, of the wrong type or
            out of range; the message lists all of them.
    """
    return check_params(read_yaml(path), str(path))


def read_yaml(path: Path) -> object:
    """Return the content of a params.yaml in plain dicts, lists and scalars.

    Raises:
        ParamsError: If the file is missing or not YAML.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: not found. Run smar in the folder that holds params.yaml.")
    try:
        return _LOADER(path.read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error


def check_params(content: object, where: str) -> Params:
    """Return parameters from plain dicts, lists and scalars; `where` names their origin.

    Raises:
        ParamsError: As `load_params`.
    """
    try:
        return Params.model_validate({} if content is None else content)
    except ValidationError as error:
        problems = [text for each in error.errors() for text in _describe(each)]
        if is_earlier(content):
            problems.append(_UPGRADE)
        headline = f"{where}: {len(problems)} problem(s); nothing was started:"
        raise ParamsError(list_problems(headline, problems)) from error


def _describe(problem: Any) -> list[str]:
    kind, location, message = problem["type"], problem["loc"], problem["msg"]
    key = ".".join(str(part) for part in location)
    if kind == "value_error":
        reason = problem["ctx"]["error"].args
        if not key:  # combinations of sections
            return list(reason)
        return [f"{key}: {text}" for text in reason]
    if kind == "extra_forbidden":
        return [f"{key}: unknown key.{near_match(str(location[-1]), _keys_at(location[:-1]))}"]
    return [f"{key or 'params.yaml'}: {message}, got {problem['input']!r}."]


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the section at `location` has."""
    section: type[BaseModel] = Params
    for part in location:
        fields = {(field.alias or name): field for name, field in section.model_fields.items()}
        field = fields.get(str(part))
        inner = field.annotation if field else None
        candidates = [inner, *get_args(inner)]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not models:
            return []
        section = models[0]
    return [field.alias or name for name, field in section.model_fields.items()]
