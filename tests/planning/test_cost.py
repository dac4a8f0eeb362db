"""A plan is a line through what was measured, checked by what lies between, and says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import Cost, record
from smar.cli import main
from smar.errors import DataError
from smar.planning.cost import (
    Machine,
    Measured,
    Run,
    errors,
    line_of,
    make_plan,
    read_measured,
)

BOX = Machine(cores=10, memory_gb=8.0, price=3.0, hours=5.0)


def run(items: int, stage: str = "embed", per_item: float = 0.36) -> Run:
    return Run(items, stage, 36 + per_item * items, 1 + items / 1e6, items / 1e3)


def measured(*runs: Run) -> Measured:
    return Measured("command", "abc", "2 cores", [*runs])


def test_line_is_what_stages_take_anyway_and_so_much_an_item():
    line = line_of([run(1000), run(4000)], "cpu_s")
    assert (line.fixed, line.per_item) == pytest.approx((36, 0.36))
    assert line.at(10_000) == pytest.approx(36 + 3600)
    falling = line_of([Run(10, "a", 5.0, 1.0, 0.0), Run(20, "a", 4.0, 1.0, 0.0)], "cpu_s")
    assert (falling.fixed, falling.per_item) == (5.0, 0.0)  # noise is no gain of a larger shop


def test_sizes_between_check_the_line():
    exact = [run(1000), run(2000), run(4000)]
    assert errors(exact, "cpu_s") == {2000: pytest.approx({"embed": 0, "sum": 0})}
    off = [run(1000), Run(2000, "embed", 2 * run(2000).cpu_s, 1, 1), run(4000)]
    assert errors(off, "cpu_s")[2000]["embed"] == pytest.approx(-0.5)
    assert errors(exact[:2], "cpu_s") == {}


def test_a_stage_that_takes_next_to_nothing_is_not_what_is_worst():
    starts = [Run(items, "features", 3.0 + (items == 2000), 1, 1) for items in (1000, 2000, 4000)]
    runs = [*starts, *(run(items) for items in (1000, 2000, 4000))]
    assert set(errors(runs, "cpu_s")[2000]) == {"embed", "sum"}  # 4 s of 760
    dear = [replace(each, cpu_s=3 * each.cpu_s) for each in starts]
    assert set(errors([*dear, *runs[3:]], "cpu_s")[2000]) == {"embed", "features", "sum"}


def test_plan_counts_machines_by_time_and_by_memory():
    plan = make_plan(measured(run(1000), run(4000)), 1_000_000, BOX)
    hours = (36 + 360_000) / 3600
    assert plan.stages[0].cpu_hours == pytest.approx(hours)
    assert plan.stages[0].memory_gb == pytest.approx(2)
    assert plan.stages[0].written_gb == pytest.approx(1000)
    assert plan.machines == 3  # ten hours of ten cores within five, and a little
    assert plan.hours * plan.machines == pytest.approx(hours / BOX.cores)
    assert plan.price == pytest.approx(hours / BOX.cores * BOX.price)
    small = Machine(cores=10, memory_gb=0.6, price=3.0, hours=1000)
    assert make_plan(measured(run(1000), run(4000)), 1_000_000, small).machines == 4


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Return a file as the benchmark of scale writes it, of three sizes."""
    costs = [
        Cost(size, stage, changed, 9.0, seconds(size), 0.5, 0.7, is_killed, written_gb=size / 1e6)
        for size in (1000, 2000, 4000)
        for stage, seconds, changed, is_killed in (
            ("shop", lambda _: 1.0, False, False),
            ("ingest", lambda n: 4 + n / 100, False, False),
            ("ingest", lambda _: 1.0, True, False),
            ("embed", lambda n: 8 + n / 10, False, False),
            ("index", lambda _: 3.0, False, True),
        )
    ]
    record(tmp_path / "costs.json", costs, "python -m benchmarks.scale --items 1000 2000 4000")
    return tmp_path / "costs.json"


def test_benchmark_records_whole_runs_alone(recorded: Path):
    found = read_measured(recorded)
    assert found.sizes == [1000, 2000, 4000]
    assert {run.stage for run in found.runs} == {"ingest", "embed"}
    assert found.command.endswith("--items 1000 2000 4000")
    embed = line_of([run for run in found.runs if run.stage == "embed"], "cpu_s")
    assert (embed.fixed, embed.per_item) == pytest.approx((8, 0.1))


def test_command_prints_a_plan_with_what_it_rests_on(
    recorded: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["plan", "--measured", str(recorded), "--items", "100e6", "--cores", "32"]
    assert main([*arguments, "--price", "2.5"]) == 0
    text = capsys.readouterr().out
    assert "100,000,000 items on machines of 32 cores" in text
    assert read_measured(recorded).command in text
    assert "2,000 items predicted from the outermost sizes: +0% of all" in text
    assert "order of magnitude" in text
    prices = []
    for price in ("2.5", "5"):
        assert main([*arguments, "--price", price, "--json"]) == 0
        prices.append(json.loads(capsys.readouterr().out)["price"])
    cpu_s = 12 + (1 / 100 + 1 / 10) * 100e6
    assert prices == pytest.approx([price * cpu_s / 3600 / 32 for price in (2.5, 5)])


def test_what_cannot_be_planned_is_refused(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["plan", "--measured", str(recorded), "--items", "-1", "--cores", "0"]) == 2
    told = capsys.readouterr().err
    assert "--items: -1, expected above 0" in told
    assert "--cores: 0, expected above 0" in told
    content = json.loads(recorded.read_text())
    content["runs"] = [run for run in content["runs"] if run["items"] == 1000]
    (tmp_path / "one.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="ingest, embed was measured at fewer than two sizes"):
        read_measured(tmp_path / "one.json")
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(DataError, match="--record FILE"):
        read_measured(tmp_path / "none.json")
    content["runs"] = [run for run in json.loads(recorded.read_text())["runs"]
                       if run["items"] != 2000]  # fmt: skip
    (tmp_path / "two.json").write_text(json.dumps(content))
    assert main(["plan", "--measured", str(tmp_path / "two.json"), "--items", "5000"]) == 0
    assert "nothing has checked these lines" in capsys.readouterr().out
