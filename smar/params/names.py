"""Names that other rooms give, read from their source: importing them would take seconds.

Each function returns what params.yaml may say of one thing.
"""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_RULE = re.compile(r"\bRule\(\s*\"(\w+)\"")
_ROW_RULE = re.compile(r"\bRowRule\(\s*\"(\w+\.\w+)\"")
PACKED = (".gz", ".gzip", ".bz2", ".xz")
_TABLES = ("items", "queries", "searches", "engagements", "judgements")


def metrics() -> tuple[str, ...]:
    """Return the metrics, without their cutoffs."""
    return constants("judging/metrics.py", "METRICS")


def slices() -> tuple[str, ...]:
    """Return the slices of a query set."""
    return constants("judging/slices.py", "SLICES")


def feed_columns() -> tuple[str, ...]:
    """Return our columns of a product feed."""
    return constants("sources/feed_kind.py", "FIELDS")


def feed_kinds() -> tuple[str, ...]:
    """Return the kinds of feeds by name."""
    return constants("sources/feed_kinds.py", "KINDS")


def feed_endings() -> tuple[str, ...]:
    """Return the endings of feeds that there is a reader for."""
    return tuple(f".{name}" for name in (*constants("sources/tables.py", "FORMATS"), "xml"))


def log_columns() -> tuple[str, ...]:
    """Return our columns of a search log that is a plain table."""
    return constants("sources/log_table.py", "_NAMES")


@cache
def rules() -> tuple[str, ...]:
    """Return the rules of validation, as "table.rule"."""
    found = []
    for table in (*_TABLES, "previous"):
        text = (_PACKAGE / "validation" / f"{table}.py").read_text(encoding="utf-8")
        found += [f"{table}.{name}" for name in _RULE.findall(text)]
    found += _ROW_RULE.findall((_PACKAGE / "data" / "row_rules.py").read_text(encoding="utf-8"))
    shared = (_PACKAGE / "validation" / "columns.py").read_text(encoding="utf-8")
    found += [f"{table}.{name}" for table in _TABLES for name in _RULE.findall(shared)]
    return tuple(found)


@cache
def architectures() -> tuple[str, ...]:
    """Return the model types that transformers has, without importing it."""
    spec = importlib.util.find_spec("transformers")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        return ()
    models = Path(folders[0]) / "models"
    return tuple(sorted(path.name.replace("_", "-") for path in models.glob("[a-z]*")))


@cache
def constants(file: str, name: str) -> tuple[str, ...]:
    """Return the texts of a list, or the keys of a table, that a module of smar assigns to a name.

    Raises:
        LookupError: If the module does not assign it.
    """
    tree = ast.parse((_PACKAGE / file).read_text(encoding="utf-8"))
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(node, "value", None)
            texts = value.keys if isinstance(value, ast.Dict) else getattr(value, "elts", [])
            return tuple(
                text.value
                for text in texts
                if isinstance(text, ast.Constant) and isinstance(text.value, str)
            )
    raise LookupError(f"smar/{file} assigns no {name}")
