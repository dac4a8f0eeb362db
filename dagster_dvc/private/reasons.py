"""DVC's own reasons, with the line and the key where it knows them."""

import os
from pathlib import Path
from typing import Any


def _line_of(data: Any, path: list[Any]) -> int | None:
    """Return the line in which a key of parsed YAML stands."""
    from dvc.utils.strictyaml import determine_linecol

    above = data
    for key in path[:-1]:
        above = above[key] if isinstance(above, dict | list) else None
    try:
        return int(above.lc.data[path[-1]][0]) + 1
    except (AttributeError, KeyError, IndexError, TypeError):
        line, _, _ = determine_linecol(data, path)
        return line


def reason(error: BaseException) -> tuple[str, str]:
    """Return DVC's reason with line and key where it knows them, and its own hint."""
    from dvc.utils import strictyaml

    said = " ".join(str(error).split()) or type(error).__name__
    for written in _paths(error):  # relative to wherever this process runs; `file_of` tells it
        said = said.replace(f"'{written}', ", "").replace(f"'{written}' ", "")
    cause = getattr(error, "__cause__", None)
    if isinstance(error, strictyaml.YAMLValidationError):
        try:
            data = strictyaml.parse_yaml_for_update(error.text, error.path)
        except RecursionError:  # no line can be told
            data = None
        for problem in error.exc.errors:
            line = _line_of(data, list(problem.path))
            key = ".".join(str(part) for part in problem.path)
            said += f"; line {line or '?'}, key '{key}': {problem.error_message}"
    elif isinstance(error, strictyaml.YAMLSyntaxError):
        marked = getattr(error.exc, "__cause__", None) or error.exc
        mark = getattr(marked, "problem_mark", None)
        if mark is not None:
            said += f"; line {mark.line + 1}: {getattr(marked, 'problem', '')}"
    else:
        while cause is not None:
            why = " ".join(str(cause).split())
            said += f": {why}" if why and why not in said else ""
            cause = cause.__cause__
    hint = str(getattr(error, "hint", "") or "")
    if hint.startswith(" ("):  # a remark, no advice
        return said + hint, ""
    return said, hint


def file_of(error: BaseException, known: Path) -> Path:
    """Return the file that an error is about, `known` where it does not say."""
    files = [Path(os.path.abspath(path)) for path in _paths(error)]  # noqa: PTH100 - links stay
    return next((file for file in files if file.is_file()), known)


def _paths(error: BaseException) -> list[str]:
    found = [getattr(error, name, None) for name in ("path", "relpath")]
    return [str(path) for path in found if isinstance(path, str | os.PathLike) and str(path)]
