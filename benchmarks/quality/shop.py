"""The prepared data of a study as its peers get it, and their results beside those of the study."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from smar.artifacts import Manifest, read_manifest, write_directory, write_json
from smar.data import schema
from smar.data.images import ImageStore
from smar.data.misspell import misspell
from smar.data.text import item_texts
from smar.evaluation.systems import per_query_table
from smar.judging import sets
from smar.judging.metrics import score_run
from smar.judging.runs import QuerySet, Run
from smar.judging.slices import LogFacts, slices_of
from smar.params import Params, load_params
from smar.paths import Paths
from smar.stages import features, synthesize
from smar.train.dataset import TrainingData
from smar.train.pairs import Pairs
from smar.train.prepare import read_training_data
from studies.paths import StudyPaths
from studies.plan import load_plan
from studies.run import KIND_RESULT, link_backbones, link_data, run_params

SEED = 7
DEPTH = 50
PRIMARY = "recall@50"

Rank = Callable[[QuerySet], Run]


@dataclass(frozen=True)
class Trial:
    """One setting of a peer that was tried.

    Args:
        settings: What was set.
        rank: Ranks the catalogue for a query set.
        seconds: Time of training by the clock.
        processor_s: Processor time of training, of all threads.
    """

    settings: dict[str, Any]
    rank: Rank
    seconds: float
    processor_s: float


class Shop:
    """Items, training pairs and query sets of one form of the data.

    Args:
        root: The project's root folder, with `smar study prepare DATA` done.
        data: Name of the data form.
        misspelled_frac: Share of the training pairs whose query is misspelled; if any is, the
            peer's results have a name of their own.
        variant: Its settings hold as well; "" for those of the base alone.
    """

    def __init__(
        self, root: Path, data: str, misspelled_frac: float = 0.0, variant: str = ""
    ) -> None:
        self.root, self.data, self.misspelled_frac = root, data, misspelled_frac
        plan = load_plan(StudyPaths(root).plan)
        name = "-".join(filter(None, (data, variant)))
        prepared, folder = StudyPaths(root).data(data), Paths(root).work / "peers" / name
        link_data(prepared, folder)
        link_backbones(root, folder)
        params = run_params(
            root, plan.base, plan.data[data].settings, plan.variants[variant] if variant else {}
        )
        Paths(folder).params.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        self.paths = Paths(folder)
        self.params: Params = load_params(self.paths.params)
        if not self.paths.synthetic.is_dir():
            synthesize.run(folder)
        if not self.paths.features.is_dir():
            features.run(folder)
        self.items = schema.read_table(self.paths.items, schema.ITEMS)
        self.texts = item_texts(self.items)
        self.images = ImageStore.open(self.paths.images)

    @property
    def main_pictures(self) -> NDArray[np.int64]:
        """Image id of every item's first picture, -1 without one, [N]."""
        ids = self.items["image_ids"].map(lambda found: int(found[0]) if len(found) else -1)
        return ids.to_numpy(np.int64)

    def training_data(self) -> TrainingData:
        """Return the pairs that smar itself is trained on."""
        data = read_training_data(
            self.paths, self.items, self.params.gate.visual_categories, self.params.clicks
        )
        return _misspelled(data, self.misspelled_frac) if self.misspelled_frac else data

    def query_sets(self) -> tuple[QuerySet, QuerySet]:
        """Return the test and the validation queries; without a log these are synthetic ones."""
        queries = schema.read_table(self.paths.queries, schema.QUERIES)
        judgements = schema.read_table(self.paths.judgements, schema.JUDGEMENTS)
        engagements = schema.read_table(self.paths.engagements, schema.ENGAGEMENTS)
        ids = list(self.items["item_id"])
        grade = self.params.evaluate.relevant_grade
        test = sets.test_set(queries, judgements, ids, grade)
        if engagements.empty:
            synthetic = schema.read_table(
                self.paths.synthetic / "queries.parquet", schema.SYNTHETIC
            )
            return test, sets.synthetic_set(synthetic, ids, self.params.seed)
        return test, sets.validation_set(queries, engagements, ids)

    def record(self, peer: str, trials: list[Trial]) -> None:
        """Choose the trial that is best on validation, measure it and write its result.

        A result that an earlier call left stands until a trial is better than all of its own.

        Writes:
            studies/results/<data>/<peer>/<seed>/
        """
        if self.misspelled_frac:
            peer = f"{peer}_misspelled"
        test, validation = self.query_sets()
        cutoffs, value = self.params.evaluate.cutoffs, f"{validation.name} {PRIMARY}"
        tried: list[dict[str, Any]] = []
        for trial in trials:
            found = float(score_run(trial.rank(validation), validation, cutoffs)[PRIMARY].mean())
            tried.append({"settings": trial.settings, value: round(found, 4)})
            print(tried[-1], f"{trial.seconds:.0f} s, processor {trial.processor_s:.0f} s")
        number = int(np.argmax([each[value] for each in tried]))
        best = trials[number]
        folder = StudyPaths(self.root).result(self.data, peer, SEED)
        content: dict[str, Any] = {"data": self.data, "variant": peer, "seed": SEED}
        before = []
        if folder.is_dir():
            earlier = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            before = earlier["tried"]
        if tried[number][value] > max((each[value] for each in before), default=-1.0):
            tables = [
                self.per_query(chosen, {peer: best.rank(chosen)}) for chosen in (test, validation)
            ]
            per_query = pd.concat(tables)
            settings = best.settings
            content["finetune"] = {"seconds": best.seconds, "processor_s": best.processor_s}
        else:
            per_query = pd.read_parquet(folder / "per_query.parquet")
            settings = read_manifest(folder, KIND_RESULT).params["settings"]
            content["finetune"] = earlier["finetune"]
        content["tried"] = [*before, *tried]
        manifest = Manifest(kind=KIND_RESULT, params={"settings": settings})
        with write_directory(folder, manifest) as part:
            write_json(part / "metrics.json", content)
            per_query.to_parquet(part / "per_query.parquet", index=False)
        of_test = per_query[per_query["set"] == test.name]
        means = of_test[["recall@50", "precision@10", "ndcg@10"]].mean().round(4)
        print(f"test, {self.data}, {peer} {settings}: {json.dumps(means.to_dict())}")

    def slices(self, chosen: QuerySet) -> dict[str, NDArray[np.bool_]]:
        """Return the slices of a query set, as masks [Q]."""
        queries = schema.read_table(self.paths.queries, schema.QUERIES)
        engagements = schema.read_table(self.paths.engagements, schema.ENGAGEMENTS)
        log = LogFacts.of(queries, engagements, list(self.items["item_id"]))
        visual = self.params.gate.visual_categories
        return slices_of(chosen, self.items["category"], visual, log)

    def per_query(self, chosen: QuerySet, runs: dict[str, Run]) -> pd.DataFrame:
        """Return one row per query and system with every metric and the query's slices."""
        cutoffs = self.params.evaluate.cutoffs
        values = {name: score_run(run, chosen, cutoffs) for name, run in runs.items()}
        return per_query_table(chosen, values, self.slices(chosen))


def _misspelled(data: TrainingData, frac: float) -> TrainingData:
    rng = Random(SEED)  # noqa: S311 - no secret hangs on these draws
    queries = list(data.queries)

    def of(pairs: Pairs) -> Pairs:
        rows = pairs.query.astype(np.int64)
        for pair in range(len(rows)):
            if rng.random() < frac:
                queries.append(misspell(data.queries[rows[pair]], rng))
                rows[pair] = len(queries) - 1
        return replace(pairs, query=rows)

    real, synthetic = of(data.real), of(data.synthetic)
    return replace(data, queries=queries, real=real, synthetic=synthetic)


def arguments(description: str) -> argparse.Namespace:
    """Return the command line of a peer's script."""
    return _parser(description).parse_args()


def picture_arguments(description: str, shares: list[float]) -> argparse.Namespace:
    """Return the command line of a peer that looks at pictures.

    Args:
        description: What the peer is.
        shares: Weights of the picture to try unless others are given.
    """
    parser = _parser(description)
    parser.add_argument("--patches", type=int, nargs="+", default=[20], help="edges in pixels")
    parser.add_argument("--shares", type=float, nargs="+", default=shares)
    return parser.parse_args()


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", help="a data form of studies/params.yaml")
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--processor-seconds", type=float, default=300.0)
    rates = [0.0005, 0.001, 0.002]
    parser.add_argument("--learning-rates", type=float, nargs="+", default=rates)
    parser.add_argument("--misspelled-frac", type=float, default=0.0, help="of the pairs")
    parser.add_argument("--scales", type=float, nargs="+", default=[20.0], help="1 / temperature")
    return parser


class Budget:
    """Processor time that a peer may train for, of all threads."""

    def __init__(self, processor_s: float) -> None:
        self.processor_s = processor_s
        self._processor, self._clock = time.process_time(), time.perf_counter()

    @property
    def used(self) -> float:
        """Share of the budget that is used up."""
        return (time.process_time() - self._processor) / self.processor_s

    @property
    def spent(self) -> tuple[float, float]:
        """Seconds by the clock and of the processor."""
        return time.perf_counter() - self._clock, time.process_time() - self._processor
