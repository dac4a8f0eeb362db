"""`smar encode`, `export` and `register`: queries as vectors, a release for others to use."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

ENCODE = "Queries, one a line, as vectors and words: a line of JSON for each."
EXPORT = "A release as files that other engines load, with a test of what they answer."
REGISTER = "A release as a model version of MLflow, with its figures and the promotion's page."


def add_commands(commands: Any, shared: ArgumentParser) -> None:
    """Add the commands with their arguments to the commands of a parser."""
    encode = commands.add_parser("encode", help=ENCODE, description=ENCODE, parents=[shared])
    encode.add_argument(
        "file", nargs="?", default="-", help="a file of queries; -: standard input (default)"
    )
    export = commands.add_parser("export", help=EXPORT, description=EXPORT, parents=[shared])
    export.add_argument("folder", type=Path, help="new or empty, or an earlier export")
    what = export.add_mutually_exclusive_group()
    what.add_argument(
        "--for",
        dest="targets",
        action="append",
        default=[],
        metavar="ENGINE",
        help="its own files too: schema, data, query; may be repeated",
    )
    what.add_argument("--check", action="store_true", help="only check what is there")
    for parser in (encode, export):
        parser.add_argument("--release", default="auto", metavar="VERSION", help="as of search")
    register = commands.add_parser(
        "register", help=REGISTER, description=REGISTER, parents=[shared]
    )
    register.add_argument("version", nargs="?", default="auto", help="default: the current release")
    register.add_argument("--name", default="smar", help="of the registered model (default: smar)")


def run_encode(options: Namespace) -> None:
    """Encode queries until they end or nobody reads on.

    Raises:
        DataError: If the file is not there, or a line could not be encoded.
    """
    from smar.export.source import Source
    from smar.export.stream import encode_stream, opened

    with opened(options.file) as queries:
        source = Source.load(options.root, options.release)
        try:
            encode_stream(source, queries, sys.stdout.buffer)
        except BrokenPipeError:
            # `| head` has what it wanted; the interpreter's own flush must not complain either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_export(options: Namespace) -> None:
    """Write or check an export and print what was done.

    Raises:
        ExportError: If it cannot be written, or what was written does not answer as it should.
    """
    from smar.export.folder import check_export, check_place, write_export
    from smar.export.source import Source
    from smar.export.targets import load_target

    if options.check:
        lines = check_export(options.folder)
    else:
        check_place(options.folder)  # before anything slow
        for name in options.targets:
            load_target(name)
        lines = write_export(
            options.folder, Source.load(options.root, options.release), options.targets
        )
    sys.stdout.write("\n".join(lines) + "\n")


def run_register(options: Namespace) -> None:
    """Register a release and print what was done.

    Raises:
        ExportError: If MLflow is not installed, or refuses.
        ReleaseError: If there is no such release.
    """
    from smar.export.mlflow_registry import register_release

    sys.stdout.write(register_release(options.root, options.version, options.name) + "\n")
