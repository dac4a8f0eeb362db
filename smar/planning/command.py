"""`smar plan`: machines, hours and price of a shop of any size, from what was measured."""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

LINE = "What a shop of any size will take: processor, memory, bytes, machines and price."
_FIGURES = {"cores": 16, "memory_gb": 64.0, "price": 1.0, "hours": 24.0}


def add_command(commands: Any, shared: ArgumentParser) -> None:
    """Add the command with its arguments to the commands of a parser."""
    parser = commands.add_parser("plan", help=LINE, description=LINE, parents=[shared])
    parser.add_argument("--items", type=float, required=True, help="of the shop, such as 100e6")
    parser.add_argument("--cores", type=int, default=16, help="of a machine (default: 16)")
    parser.add_argument("--memory-gb", type=float, default=64.0, help="of a machine (default: 64)")
    parser.add_argument("--price", type=float, default=1.0, help="of an hour of one (default: 1)")
    parser.add_argument("--hours", type=float, default=24.0, help="that it may take (default: 24)")
    text = "what `python -m benchmarks.scale --items 5000 10000 20000 --record FILE` wrote"
    parser.add_argument("--measured", type=Path, metavar="FILE", required=True, help=text)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Namespace) -> None:
    """Print a plan.

    Raises:
        ParamsError: If a number is not above 0; lists all of them.
        DataError: If the measured file is none.
    """
    from smar.errors import ParamsError, list_problems
    from smar.planning.cost import Machine, make_plan, read_measured

    bad = [
        f"--{name.replace('_', '-')}: {value:g}, expected above 0"
        for name in ("items", *_FIGURES)
        if not 0 < (value := getattr(options, name)) < float("inf")
    ]
    if bad:
        raise ParamsError(list_problems("plan:", bad))
    measured = read_measured(options.measured)
    machine = Machine(**{name: getattr(options, name) for name in _FIGURES})
    plan = make_plan(measured, options.items, machine)
    if options.json:
        told = asdict(plan) | {"command": measured.command, "commit": measured.commit}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        from smar.planning.table import plan_text

        sys.stdout.write(plan_text(plan, measured, options.items, machine))
