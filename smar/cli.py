"""The `smar` command: a sub-command per stage, then search, releases and demo. No logic is here."""

import argparse
import errno
import gc
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smar.datasets import command as dataset
from smar.errors import ParamsError, SmarError
from smar.export import command as export
from smar.logs import set_up_logging
from smar.models import command as backbone
from smar.planning import command as planning
from smar.service.http import command as serve
from smar.sources import fetch_command as pictures
from smar.stages import declared

if TYPE_CHECKING:
    from smar.params import Params

STAGES = declared()
# These read no parameter; params checks them itself.
_WITHOUT_PARAMS = {"params", "search", "plan"}
# A tenth of what these take is the search for cycles among objects of imports and tables.
_FEW_CYCLES = {"ingest", "validate"}
_UP_TO_TRAINING = list(STAGES)[: list(STAGES).index("pretrain") + 1]


def shared_options() -> argparse.ArgumentParser:
    """Return the options that every command has, as a parent of parsers."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", type=Path, default=Path(), help="project folder (default: here)")
    shared.add_argument("-q", "--quiet", action="store_true", help="warnings and errors only")
    return shared


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    shared = shared_options()
    parser = argparse.ArgumentParser(
        prog="smar",
        description="Text search over items that have text and pictures.",
        epilog="Hyper-parameters live in params.yaml; `dvc repro` runs all stages that need it. "
        "`smar NAME` starts a program smar-NAME, where there is one.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, stage in STAGES.items():
        commands.add_parser(name, help=stage.summary, description=stage.summary, parents=[shared])
    line = "Items for a text query, as a table, JSON or a page of pictures."
    search = commands.add_parser("search", help=line, description=line, parents=[shared])
    search.add_argument("query", help="what a shopper would type")
    search.add_argument("-k", type=int, default=10, help="number of items (default: 10)")
    search.add_argument(
        "--release",
        default="auto",
        metavar="VERSION",
        help="a version; current; none: the working tree (default: the current one, if any)",
    )
    least = "what is less probably relevant is left out (default: 0)"
    search.add_argument("--min-relevance", type=float, default=0.0, metavar="P", help=least)
    line = "what each word does to the weights, and what text, picture and words add to each score"
    search.add_argument("--explain", action="store_true", help=line)
    line = "search the words as they are, also where they look misspelled"
    search.add_argument("--as-typed", action="store_true", help=line)
    form = search.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--html", type=Path, metavar="FILE", help="write a page of pictures")
    _add_release_commands(commands, shared)
    line = "Every parameter with its value, default, bounds and meaning."
    params = commands.add_parser("params", help=line, description=line, parents=[shared])
    what = params.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only check params.yaml")
    what.add_argument("--upgrade", action="store_true", help="rewrite an earlier version's file")
    what.add_argument("--json", action="store_true", help="print JSON")
    pictures.add_command(commands, shared)
    backbone.add_command(commands, shared)
    dataset.add_command(commands, shared)
    export.add_commands(commands, shared)
    planning.add_command(commands, shared)
    serve.add_command(commands, shared)
    line = "The demo shop's raw files, to see the formats that a shop's own data can have."
    demo = commands.add_parser("demo", help=line, description=line, parents=[shared])
    demo.add_argument("folder", type=Path, help="where to write them; must be empty or new")
    return parser


def _add_release_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    line = "Every release with its date and figures."
    releases = commands.add_parser("releases", help=line, description=line, parents=[shared])
    releases.add_argument("--json", action="store_true", help="print JSON")
    line = "Make an earlier release current, in one switch."
    rollback = commands.add_parser("rollback", help=line, description=line, parents=[shared])
    rollback.add_argument("version", nargs="?", default="", help="default: what it replaced")
    line = "What differs between two releases: quality, data, parameters, and queries that moved."
    diff = commands.add_parser("diff", help=line, description=line, parents=[shared])
    diff.add_argument("old", help="a version")
    diff.add_argument("new", help="a version")
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    line = "Every hash of a release, stored embeddings and searches, checked again."
    verify = commands.add_parser("verify", help=line, description=line, parents=[shared])
    verify.add_argument("version", nargs="?", default="auto", help="default: the current release")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 done, 2 an error the user can mend."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] not in {*STAGES, *_COMMANDS} and (program := _program_of(given[0])):
        os.execv(program, [program, *given[1:]])  # noqa: S606 - beside this one or on the path
    options = build_parser().parse_args(given)
    command: str = options.command
    set_up_logging("smar", is_quiet=options.quiet or command not in {*STAGES, "demo"})
    return run_safely(command, lambda: _run(command, options))


def _program_of(name: str) -> str | None:
    """Return the program smar-NAME: beside this interpreter's other programs, or on the path."""
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return shutil.which(f"smar-{name}", path=places)


def run_safely(name: str, work: Callable[[], None]) -> int:
    """Do the work of a command and return its exit code; errors are told in one message."""
    try:
        work()
    except SmarError as error:
        sys.stderr.write(f"smar {name}: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"smar {name}: {_explain(error)}\n")
        return 2
    except (MemoryError, RuntimeError) as error:
        from smar.models.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        told = " ".join(str(error).split())[:200]
        sys.stderr.write(
            f"smar {name}: out of memory ({told}). Choose a smaller model or a larger machine; "
            "what was complete before is as it was.\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"smar {name}: interrupted\n")
        return 130
    return 0


def _run(command: str, options: argparse.Namespace) -> None:
    if command != "plan":
        check_root(options.root)
    if command not in _WITHOUT_PARAMS:
        check_params_of(options.root, with_models=command in _UP_TO_TRAINING)
    if command in _FEW_CYCLES:
        gc.set_threshold(50_000, 20, 20)
    if command in STAGES:
        from smar.running import run_stage

        run_stage(command, options.root)
    else:
        _COMMANDS[command](options)


def check_params_of(root: Path, *, with_models: bool = False) -> None:
    """Refuse bad parameters, and what they ask of a training, before anything slow is imported.

    Args:
        root: The project.
        with_models: Also the pretrained models that they name, trackers, and the number format of
            trainings that run here.

    Raises:
        ParamsError: Lists all problems.
    """
    from smar.params import load_params

    params = load_params(root / "params.yaml")
    if with_models:
        from smar.models.pretrained_checks import check_pretrained
        from smar.params.tracking import read_tracking

        check_pretrained(params.model, root / "backbones")
        if params.finetune.teacher.name:
            from smar.models.teachers import find_teacher

            find_teacher(params.finetune.teacher.name, root / "backbones")
        read_tracking(root)
        _check_precision(params)


def _check_precision(params: "Params") -> None:
    """Refuse a number format of trainings that this machine cannot run; others may on a cluster."""
    asked = {"pretrain": params.pretrain, "finetune": params.finetune}
    if params.cluster.kind == "ray" or all(of.precision != "float16" for of in asked.values()):
        return  # torch takes seconds to import
    from smar.models.device import choose_device
    from smar.train.precision import check_precision

    check_precision(asked, choose_device()[0])


def _explain(error: OSError) -> str:
    """Return what to do about a file system that refuses."""
    steps = {
        errno.ENOSPC: "Free space on that disk",
        errno.EDQUOT: "Free space, or raise your quota",
        errno.EROFS: "Make the folder writable",
        errno.EACCES: "Make the folder writable for this user",
        errno.EPERM: "Make the folder writable for this user",
    }
    step = steps.get(error.errno or 0, "Mend the file system")
    return f"{error}. {step}, then run it again; what was complete before is as it was."


def check_root(root: Path) -> None:
    """Refuse a folder that is no project.

    Raises:
        ParamsError: If it has no params.yaml.
    """
    if not (root / "params.yaml").is_file():
        raise ParamsError(
            f"{root.resolve()}: no params.yaml there. Run smar in a project's folder, or name it "
            "with --root."
        )


def _search(options: argparse.Namespace) -> None:
    from smar.errors import Problem, RequestError
    from smar.service.request import SearchRequest
    from smar.service.retriever import Retriever

    if not options.query.strip():
        raise RequestError([Problem("query", "has no text. Give at least one word.")])
    retriever = Retriever.load(options.root, options.release)
    asked = SearchRequest(
        query=options.query,
        limit=options.k,
        min_relevance=options.min_relevance,
        explain=options.explain,
        correct=not options.as_typed,
    )
    answer = retriever.answer(asked)
    if options.json:
        sys.stdout.write(json.dumps(answer.as_dict(), ensure_ascii=False) + "\n")
    elif options.html:
        from smar.service.page import write_search_page

        write_search_page(options.html, retriever, answer)
        sys.stdout.write(f"{options.html.resolve()}\n")
    else:
        from smar.service.table import answer_table

        sys.stdout.write(answer_table(answer))


def _releases(options: argparse.Namespace) -> None:
    from smar.release.listing import list_releases, releases_table

    rows = list_releases(options.root)
    sys.stdout.write(json.dumps(rows) + "\n" if options.json else releases_table(rows))


def _rollback(options: argparse.Namespace) -> None:
    from smar.paths import Paths
    from smar.service.registry import rollback

    switch = rollback(options.root, options.version)
    sys.stdout.write(f"{switch.previous or 'nothing'} -> {switch.version}\n")
    if Paths(options.root).release.is_dir():
        sys.stdout.write(
            f"models/release holds {switch.version}. `dvc commit --force promote`, a git commit of "
            "dvc.lock and `dvc push` take it to others.\n"
        )


def _verify(options: argparse.Namespace) -> None:
    from smar.release.verify import verify_release

    sys.stdout.write("\n".join(verify_release(options.root, options.version)) + "\n")


def _diff(options: argparse.Namespace) -> None:
    from smar.release.diff import diff_releases, diff_text, write_diff_page

    difference = diff_releases(options.root, options.old, options.new)
    sys.stdout.write(diff_text(difference))
    if options.html:
        write_diff_page(options.html, options.root, difference)
        sys.stdout.write(f"\n{options.html.resolve()}\n")


def _demo(options: argparse.Namespace) -> None:
    from smar.demo.shop import write_demo_shop
    from smar.errors import DataError
    from smar.params import load_params

    if options.folder.exists() and any(options.folder.iterdir()):
        raise DataError(f"{options.folder}: is not empty; name a new folder.")
    params = load_params(options.root / "params.yaml")
    write_demo_shop(options.folder, **params.ingest.demo.model_dump(), seed=params.seed)
    sys.stdout.write(f"{options.folder.resolve()}\n")


def _params(options: argparse.Namespace) -> None:
    from smar.params import load_params
    from smar.params.listing import as_text, entries
    from smar.params.upgrade import upgrade_file

    file = options.root / "params.yaml"
    if options.upgrade:
        state = "upgraded" if upgrade_file(file) else "as it was"
        sys.stdout.write(f"{file}: {state}\n")
    found = entries(load_params(file))
    check_params_of(options.root, with_models=True)
    if options.json:
        sys.stdout.write(json.dumps([entry.as_dict() for entry in found]) + "\n")
    elif options.check:
        sys.stdout.write(f"{file}: all of {len(found)} parameters are valid\n")
    elif not options.upgrade:
        sys.stdout.write(as_text(found))


_COMMANDS = {
    "params": _params,
    "search": _search,
    "releases": _releases,
    "rollback": _rollback,
    "diff": _diff,
    "verify": _verify,
    "demo": _demo,
    "backbone": backbone.run,
    "fetch-pictures": pictures.run,
    "dataset": dataset.run,
    "plan": planning.run,
    "encode": export.run_encode,
    "export": export.run_export,
    "register": export.run_register,
    "serve": serve.run,
}
