"""Great Expectations without what it does over and over: the same verdicts and the same pages.

It makes the configuration of an expectation anew whenever something of it is asked, 150 times for
each, asks every metric what it needs once for every way that leads to it, hashes all rows of a
frame, writes its settings as YAML for every frame, and compiles a template for every kind of page.
Nothing here changes what is judged, or how. What a later version of it has no longer is left alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import jinja2
from great_expectations import util
from great_expectations.core import expectation_validation_result, id_dict
from great_expectations.data_context import AbstractDataContext
from great_expectations.execution_engine import pandas_execution_engine
from great_expectations.expectations import expectation, expectation_configuration
from great_expectations.render.view import view
from great_expectations.validator import validation_graph

_Method = Callable[..., Any]
_Put = Callable[[Any, str, Callable[[Any], Any]], None]


@contextmanager
def judged_once() -> Iterator[None]:
    """Let suites be judged so while the block runs; they may not be changed meanwhile."""
    configured = expectation_configuration.ExpectationConfiguration
    with _puts() as put:
        # An expectation and its configuration are made of each other again and again.
        put(expectation.Expectation, "configuration", lambda p: property(_once(p.fget)))
        put(configured, "to_domain_obj", _once)
        put(expectation.ColumnMapExpectation, "get_validation_dependencies", _once)
        put(validation_graph.ValidationGraph, "build_metric_dependency_graph", _each_metric_once)
        # A line in Data Docs, and a tenth of the stage at a million rows; our manifest has digests.
        put(pandas_execution_engine, "hash_pandas_dataframe", lambda _: lambda _: "not computed")
        yield


@contextmanager
def rendered_once() -> Iterator[None]:
    """Let Data Docs be written so while the block runs."""
    compiled = _Compiled()
    with _puts() as put:
        put(view, "Environment", lambda made: partial(made, bytecode_cache=compiled))
        yield


@contextmanager
def _puts() -> Iterator[_Put]:
    """Yield what puts something in the place of what has a name, until the block ends."""
    as_json = util.convert_to_json_serializable
    with ExitStack() as afterwards:

        def put(place: Any, name: str, made: Callable[[Any], Any]) -> None:
            usual = vars(place).get(name)
            if usual is not None:
                setattr(place, name, made(usual))
                afterwards.callback(setattr, place, name, usual)

        for place in (util, id_dict, expectation_configuration, expectation_validation_result):
            put(place, "convert_to_json_serializable", lambda _: partial(_plain, as_json))
        put(AbstractDataContext, "_save_project_config", lambda _: lambda _: None)  # to nowhere
        yield put


def _once(make: _Method) -> _Method:
    """Return a method that an object is asked once for the same arguments."""
    found: dict[tuple[int, str], tuple[object, Any]] = {}

    def kept(self: object, *arguments: Any, **named: Any) -> Any:
        told = {name: value for name, value in named.items() if name != "execution_engine"}
        key = (id(self), repr((arguments, told)) if arguments or told else "")
        if key not in found:
            found[key] = (self, make(self, *arguments, **named))  # kept, so that its id stays its
        return found[key][1]

    return kept


def _each_metric_once(build: _Method) -> _Method:
    """Return the method that adds a metric and all that it needs to a graph, if they are not there.

    It calls itself for what a metric needs.
    """
    added: dict[int, tuple[object, set[Any]]] = {}

    def build_once(graph: Any, metric_configuration: Any, *arguments: Any, **named: Any) -> None:
        _, metrics = added.setdefault(id(graph), (graph, set()))
        if metric_configuration.id not in metrics:
            metrics.add(metric_configuration.id)
            build(graph, metric_configuration, *arguments, **named)

    return build_once


def _plain(as_json: Callable[[Any], Any], data: Any) -> Any:
    """Return what `as_json` returns; it looks for twenty kinds of things before None."""
    kind = type(data)
    if data is None or kind is str or kind is bool or kind is int:
        return data
    if kind is dict:
        return {str(key): _plain(as_json, value) for key, value in data.items()}
    if kind is list or kind is tuple:
        return [_plain(as_json, value) for value in data]
    return as_json(data)


class _Compiled(jinja2.BytecodeCache):
    """Templates as they were compiled for another kind of page."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Any) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Any) -> None:
        self._known[bucket.key, bucket.checksum] = bucket.code
