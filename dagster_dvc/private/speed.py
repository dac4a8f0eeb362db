"""DVC's loader without what makes it slow, and with the same result.

Four things take most of the time of reading a large repository: DVC compiles its schema of a stage
once for every stage, parses YAML in Python, looks a parameter up by walking its whole file, and
makes a file system for every path. Whatever is out of the ordinary is left to DVC's own way.
"""

import gc
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

_LOCK = RLock()
_kept: set[Hashable] = set()
# Tags, anchors, aliases and directives.
_MARKED = re.compile(r"^(?:%|\s*[!&*])|[:?,\[{-]\s*[!&*]", re.MULTILINE)
# What the parser that keeps comments does not write as a plain one would: those, and exponents.
_NOT_AS_WRITTEN = re.compile(r"#|[0-9]\.[0-9]+[eE][-+]?[0-9]")
_GLOB = re.compile(r"[*?\[\]!]")
_ADDRESS = re.compile(r"^~|[:\\]")  # whatever may be more than a path of this machine


@contextmanager
def quick_loading() -> Iterator[None]:
    """Have DVC parse with libyaml, compile its schema once and share a file system among paths.

    Garbage is left for later. The objects of a repository live on together: looking through them
    again and again finds nothing, and took a third of the time of reading 4,000 stages.
    """
    from dvc import output
    from dvc.dvcfile import ProjectFile
    from dvc.utils import strictyaml

    with _LOCK, without_garbage():
        kept = strictyaml.parse_yaml, ProjectFile.SCHEMA, output.get_cloud_fs
        strictyaml.parse_yaml = _parse
        ProjectFile.SCHEMA = _compiled_schema()
        output.get_cloud_fs = _shared_fs(output.get_cloud_fs)
        try:
            yield
        finally:
            strictyaml.parse_yaml, ProjectFile.SCHEMA, output.get_cloud_fs = kept


def quicken_this_process() -> None:
    """Do so for good, for writing dvc.lock as well: in a process that is one command of DVC."""
    from dvc import dvcfile, output
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    _yaml.parse_yaml = _parse  # files of parameters, which are read several times a stage
    output.get_cloud_fs = _shared_fs(output.get_cloud_fs)
    strictyaml.parse_yaml = _parse
    dvcfile.ProjectFile.SCHEMA = _compiled_schema()
    dvcfile.modify_yaml = _modify_yaml


@contextmanager
def without_garbage() -> Iterator[None]:
    """Leave garbage for later, where all that is made stays."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_for_good(what: Hashable) -> None:
    """Have the garbage collector leave alone, from now on, everything that this process holds.

    Definitions live as long as the process that loads them. Walking through them in every full
    collection, and once more when the process ends, took a fifth of the time of loading 200 stages;
    forked steps would copy the memory that they share only by doing so.

    Args:
        what: Nothing happens the second time: a process that loads them again and again would keep
            each of them.
    """
    if what not in _kept:
        _kept.add(what)
        gc.freeze()


def _shared_fs(get_cloud_fs: Any) -> Any:
    """Return DVC's `get_cloud_fs` with one file system for all plain paths of a configuration.

    DVC validates an empty configuration and makes a file system of this machine for each of them,
    to take the repository's own in most cases: a quarter of the time of reading 1,000 stages.
    """
    known: dict[int, tuple[Any, Any, dict[str, Any], Any]] = {}

    def get(repo_config: Any, **kwargs: Any) -> tuple[Any, dict[str, Any], str]:
        path = kwargs.get("url")
        if len(kwargs) > 1 or not isinstance(path, str) or _ADDRESS.search(path):
            made: tuple[Any, dict[str, Any], str] = get_cloud_fs(repo_config, **kwargs)
            return made
        if id(repo_config) not in known:
            cls, config, _ = get_cloud_fs(repo_config, url=path)
            known[id(repo_config)] = (cls, cls(**config), config, repo_config)
        cls, shared, config, _ = known[id(repo_config)]
        return (lambda **_: shared), dict(config), cls._strip_protocol(path)

    return get


def _compiled_schema() -> Any:
    """Return DVC's schema of a dvc.yaml; that of a stage is compiled once, not once a stage."""
    import voluptuous
    from dvc import schema

    plain = voluptuous.Schema(schema.STAGE_DEFINITION)
    template = voluptuous.Schema(schema.FOREACH_IN)

    def stage(data: Any) -> Any:
        is_template = isinstance(data, Mapping) and {"foreach", "do"} & data.keys()
        return (template if is_template else plain)(data)

    return voluptuous.Schema(schema.MULTI_STAGE_SCHEMA | {"stages": {str: stage}})


class _UnusualError(Exception):
    """Something that YAML 1.1 and 1.2 may read differently."""


class _Loader(CParser, yaml.constructor.SafeConstructor, yaml.resolver.BaseResolver):
    """Reads the common part of YAML as DVC's parser does, and refuses the rest."""

    def __init__(self, stream: str) -> None:
        CParser.__init__(self, stream)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.BaseResolver.__init__(self)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; keys that come twice are DVC's to complain of."""
        made: dict[Any, Any] = super(
            yaml.constructor.SafeConstructor, self
        ).construct_mapping(node, deep=deep)  # fmt: skip
        if len(made) != len(node.value):
            raise _UnusualError
        return made


def _refuse(loader: Any, node: Any) -> Any:
    """Leave a value to DVC."""
    raise _UnusualError


# What is plainly a number, true, false or null; what might be one in some version is refused.
_PLAIN = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?$",
     "-+0123456789"),
    ("unusual", r"^[-+]?[.0-9][0-9_:.eExXob+TtZz -]*$|^[-+]?0[xXob]|^[-+.][.a-zA-Z]",
     "-+.0123456789"),
    ("unusual", r"^(?:=|<<)$", "=<"),
)  # fmt: skip
for _tag, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), [c.strip("\0") for c in _first])
_Loader.add_constructor("unusual", _refuse)
_Loader.add_constructor(None, _refuse)
for _tag in ("timestamp", "set", "omap", "pairs", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse)


def _parse(text: str, path: str, typ: str = "safe") -> Any:
    """Return what DVC's `parse_yaml` does."""
    from dvc.utils.serialize import parse_yaml

    if typ != "safe" or _MARKED.search(text):
        return parse_yaml(text, path, typ=typ)
    try:
        return _Loader(text).get_single_data() or {}
    except (_UnusualError, yaml.YAMLError, ValueError, TypeError):
        return parse_yaml(text, path, typ=typ)


@contextmanager
def _modify_yaml(path: Any, fs: Any = None) -> Iterator[Any]:
    """Do what DVC's `modify_yaml` does, to the byte; a dvc.lock has no comments to keep.

    DVC writes the file whole at the end of every stage, and reading it with the parser that keeps
    comments is most of what a stage of a large repository costs.
    """
    from dvc.utils.serialize import dump_yaml, modify_yaml

    file = Path(path)
    text = file.read_text(encoding="utf-8") if file.name == "dvc.lock" and file.is_file() else ""
    content = None
    if text and not (_MARKED.search(text) or _NOT_AS_WRITTEN.search(text)):
        try:
            content = _Loader(text).get_single_data()
        except (_UnusualError, yaml.YAMLError, ValueError, TypeError):
            content = None
    if isinstance(content, dict):
        yield content
        dump_yaml(path, content, fs=fs)
    else:
        with modify_yaml(path, fs=fs) as kept:
            yield kept


def lookup(content: dict[str, Any], name: str) -> Any:
    """Return the value of a parameter by its name, "train.lr", as DVC's `dpath.get` does.

    Raises:
        KeyError: If there is none.
    """
    import dpath

    found: Any = content
    for part in () if _GLOB.search(name) else name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            break
        found = found[part]
    else:
        if not _GLOB.search(name):
            return found
    return dpath.get(content, name, separator=".")
