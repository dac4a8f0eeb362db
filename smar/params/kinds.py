"""Kinds: files that say all about one choice, as `smar/losses/hinge.py` about `loss.kind: hinge`.

A file of a family's folder is a kind if it has a class `Params`; its name is the kind's. Beside
what it computes it may state facts (constants in capitals) and refuse what makes no sense with it
(`senseless`). These three are read from its source without importing the rest, because torch takes
seconds to import and a misspelt parameter has to be refused at once.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import Field, create_model, field_validator

from smar.errors import ParamsError, near_match
from smar.params.section import Section

_ROOT = Path(__file__).resolve().parents[2]
# What a kind's parameters may be made of: these modules import in no time.
S = TypeVar("S", bound=Section)
_LIGHT = ("collections.abc", "typing", "pydantic", "smar.params.section")


@dataclass(frozen=True)
class Kind:
    """One kind of a family.

    Args:
        name: As params.yaml says it.
        module: Dotted name of its module.
        summary: First line of the module's docstring.
        params: Its parameters, each with a default.
        facts: Its constants in capitals over the family's own values.
        senseless: Yields what makes no sense together with this kind, from all parameters.
    """

    name: str
    module: str
    summary: str
    params: type[Section]
    facts: Mapping[str, bool]
    senseless: Callable[[Any], Iterable[str]]

    def load(self) -> ModuleType:
        """Return the module itself."""
        return import_module(self.module)


@dataclass(frozen=True)
class Family:
    """All kinds of one choice.

    Args:
        package: Dotted name of the package whose files they are.
        key: The key of params.yaml that names one.
        section: The section of params.yaml that holds a sub-section of parameters for each.
        facts: What a kind may state, with the value of one that does not.
    """

    package: str
    key: str
    section: str
    facts: Mapping[str, bool]

    @property
    def folder(self) -> Path:
        """The folder of the kinds."""
        return _ROOT.joinpath(*self.package.split("."))

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Every kind by name, in alphabetical order."""
        found = (_read(path, self) for path in sorted(self.folder.glob("[!_]*.py")))
        return {kind.name: kind for kind in found if kind is not None}

    def __getitem__(self, name: str) -> Kind:
        """Return a kind.

        Raises:
            ParamsError: If there is none of that name; lists the names and guesses.
        """
        if name not in self.kinds:
            raise ParamsError(f"{self.key}: {self.unknown(name)}")
        return self.kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def unknown(self, name: str) -> str:
        """Return what to say of a name that no kind has."""
        choices = ", ".join(self.kinds)
        return f"unknown '{name}'; expected one of {choices}.{near_match(name, self.kinds)}"


LOSSES = Family(
    "smar.losses",
    "loss.kind",
    "loss",
    {"IS_LIKELIHOOD": True, "NEEDS_SHOWN": False, "BY_ROWS": True},
)
FUSIONS = Family("smar.models.fusion", "model.fusion", "fusion", {"SEES_PICTURES": True})
GATES = Family("smar.models.gate", "gate.kind", "gate", {"SETTLES": False, "TAUGHT": False})
CURRICULA = Family("smar.train.curricula", "curriculum.kind", "curriculum", {})
CLICKS = Family("smar.train.clicks", "clicks.kind", "clicks", {})
GENERATORS = Family("smar.synthetic.generators", "synthesize.shares", "synthesize", {})
FAMILIES = (LOSSES, FUSIONS, GATES, CURRICULA, CLICKS, GENERATORS)


def with_kinds(family: Family) -> Callable[[type[S]], type[S]]:
    """Return a decorator that gives a section a sub-section for every kind of a family.

    A field `kind` of the section has to name one of them.
    """

    def decorate(section: type[S]) -> type[S]:
        fields: dict[str, Any] = {
            name: (kind.params, Field(default_factory=kind.params, description=kind.summary))
            for name, kind in family.kinds.items()
        }
        validators: dict[str, Any] = {}
        if "kind" in section.model_fields:
            validators["known_kind"] = field_validator("kind")(known(family))
        return create_model(
            section.__name__,
            __base__=section,
            __doc__=section.__doc__,
            __module__=section.__module__,
            __validators__=validators,
            **fields,
        )

    return decorate


def known(family: Family) -> Callable[[str], str]:
    """Return a validator that refuses names which no kind of a family has."""

    def check(value: str) -> str:
        if value not in family.kinds:
            raise ValueError(family.unknown(value))
        return value

    return check


def _read(path: Path, family: Family) -> Kind | None:
    """Return the kind of a file; None if the file is none, but what kinds share."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = [node for node in tree.body if getattr(node, "name", "") in {"Params", "senseless"}]
    if not any(isinstance(node, ast.ClassDef) for node in own):
        return None
    imports = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in _LIGHT
    ]
    module = f"{family.package}.{path.stem}"
    namespace: dict[str, Any] = {"__name__": module}
    stated = _facts(tree)
    namespace |= stated
    code = compile(ast.Module([*imports, *own], []), str(path), "exec")
    exec(code, namespace)  # noqa: S102 - this is our own source, read in part
    params: type[Section] = namespace["Params"]
    _describe(params, next(node for node in own if isinstance(node, ast.ClassDef)))
    docstring = ast.get_docstring(tree) or ""
    return Kind(
        name=path.stem,
        module=module,
        summary=docstring.partition("\n")[0],
        params=params,
        facts={**family.facts, **{k: v for k, v in stated.items() if k in family.facts}},
        senseless=namespace.get("senseless", _nothing),
    )


def _facts(tree: ast.Module) -> dict[str, Any]:
    """Return the constants in capitals of a module."""
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.isupper()
        and isinstance(node.value, ast.Constant)
    }


def _describe(params: type[Section], source: ast.ClassDef) -> None:
    """Give every field the text below it, which pydantic finds in imported modules only."""
    for field, text in zip(source.body, source.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            words = " ".join(str(text.value.value).split())
            params.model_fields[field.target.id].description = words


def _nothing(_: object) -> Iterable[str]:
    return ()
