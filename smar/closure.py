"""Which files of the package decide what a module does: its own, and all that it imports."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
PARAMS = "params"
"""The package that declares parameters."""
_TEMPLATE = re.compile(r"[\"']([\w.]+\.j2)[\"']")
_FROM = re.compile(
    r"^[ \t]*from[ \t]+(smar[\w.]*)[ \t]+import\b[ \t]*(\((?:#[^\n]*|[^)#])*|[^\n(]*)", re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#]*)", re.MULTILINE)
_NAME = re.compile(r"(?:^|[(,])\s*(\w+)")  # and not what it is called here
_COMMENT = re.compile(r"#[^\n]*")


def closure(*modules: str, but: str | Iterable[str] = ()) -> list[str]:
    """Return the files that modules of smar need, as sorted paths such as "smar/artifacts.py".

    An import counts wherever it stands, and so does a template that a file names. Package files
    without an import are left out: they cannot change a result.

    Args:
        *modules: Dotted names, such as "smar.stages.embed".
        but: Packages or modules of smar (or one of them) whose files, and what they alone need,
            are left out.
    """
    waiting = [file for module in modules for file in _files_of(module)]
    names = (but,) if isinstance(but, str) else but
    left_out = {PACKAGE / f"{name}{ending}" for name in names for ending in ("", ".py")}
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if not left_out.isdisjoint((file, *file.parents)):
            continue
        if file not in seen and file != PACKAGE / "__init__.py":  # imports lazily, for users
            seen.add(file)
            waiting += _needed_by(file)
    kept = {file for file in seen if file.name != "__init__.py" or _needed_by(file)}
    return sorted(f"{PACKAGE.name}/{file.relative_to(PACKAGE)}" for file in kept)


def code_key(
    modules: Iterable[str],
    libraries: Iterable[str] = (),
    told: str = "",
    *,
    but: str | Iterable[str] = (),
) -> str:
    """Return what stands for the way in which something is made, 64 hexadecimal digits.

    Args:
        modules: What makes it, by dotted names; all that they need counts.
        libraries: Packages whose versions count.
        told: What else decides.
        but: As of `closure`; `PARAMS` where nothing of it is asked but values, and `told` holds all
            of these: a new parameter of another stage, or another text of one, changes nothing.
    """
    code = [(PACKAGE.parent / file).read_bytes() for file in closure(*modules, but=but)]
    return sha256(repr((code, [*map(version, libraries)], told)).encode()).hexdigest()


@cache
def _needed_by(file: Path) -> frozenset[Path]:
    """Return the files of smar that a file imports or names as a template."""
    text = file.read_text(encoding="utf-8")
    templates = PACKAGE / "pages" / "templates"
    found = {templates / name for name in _TEMPLATE.findall(text)}
    found = {path for path in found if path.is_file()}
    if file.suffix != ".py":
        return frozenset(found)
    for name in _imported(text):
        found |= _files_of(name)
    return frozenset(found)


def _imported(text: str) -> set[str]:
    """Return the modules of smar that a file's text imports, and all names that may be some.

    A parser says the same of every file of the package (a test holds that), but takes twenty times
    as long, which every stage that keeps something would wait for.
    """
    found = set[str]()
    for module, names in _FROM.findall(text):
        found |= {module, *(f"{module}.{name}" for name in _NAME.findall(_COMMENT.sub("", names)))}
    for modules in _IMPORT.findall(text):
        found |= {name.split()[0] for name in modules.split(",") if name.split()}
    return found


def _files_of(module: str) -> set[Path]:
    """Return the file of a module of smar, with the packages above it; empty for others."""
    first, *parts = module.split(".")
    if first != PACKAGE.name:
        return set()
    candidates = [PACKAGE.joinpath(*parts[:n], "__init__.py") for n in range(len(parts) + 1)]
    candidates.append(PACKAGE.joinpath(*parts).with_suffix(".py"))
    return {path for path in candidates if path.is_file()}
