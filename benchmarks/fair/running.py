"""The trainings of the fair study, in turns over the systems: they stay level if it ends."""

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.fair.given import Given
from benchmarks.fair.learners import Gcl, Learner, Smar
from benchmarks.fair.results import Line, Results
from benchmarks.fair.space import Settings, draw
from benchmarks.fair.words import Bm25, recall, recall_of_choice, runs_of, words_alone


def learner_of(system: str, given: Given, settings: Settings, seed: int) -> Learner:
    """Return a system before training; sentence-transformers is imported where it is asked for."""
    if system in ("smar", "gcl"):
        return (Smar if system == "smar" else Gcl)(given, settings, seed)
    from benchmarks.fair.peers import SentencePeer

    return SentencePeer(given, settings, seed)


class Study:
    """All trials, then the final trainings of each system's best.

    Args:
        options: As the command line gives them.
        results: Where they are kept.
    """

    def __init__(self, options: argparse.Namespace, results: Results) -> None:
        self.options, self.results = options, results
        self.given = Given(options.project, options.data, options.draw_seed)

    def run(self) -> None:
        """Do what is not done yet."""
        self.given.read()
        for number in range(self.options.trials):
            for system in self.options.systems:
                if number not in {line["number"] for line in self.results.trials(system)}:
                    self.results.add_trial(system, self._trial(system, number))
        for seed in self.options.seeds:
            for system in self.options.systems:
                if seed not in {line["seed"] for line in self.results.finals(system)}:
                    self._final(system, seed)

    def _trial(self, system: str, number: int) -> Line:
        settings = draw(system, number, self.options.draw_seed)
        line: Line = {"number": number, "settings": settings}
        choice = self.given.choice
        if system == "bm25":
            run = Bm25(self.given, settings, choice.rows).run(choice.queries.texts)
            return line | {"value": recall(run, choice.queries)}
        learner = learner_of(system, self.given, settings, self.options.draw_seed)
        told = self._fit(learner, self.options.trial_seconds)
        start = time.process_time()
        value = recall_of_choice(self.given, learner)
        return line | told | {"value": value, "measuring_s": time.process_time() - start}

    def _final(self, system: str, seed: int) -> None:
        best = best_of(self.results.trials(system))
        settings, test = best["settings"], self.given.test
        line: Line = {"seed": seed, "number": best["number"], "settings": settings}
        if system == "bm25":
            runs = {"bm25": Bm25(self.given, settings, None).run(test.texts)}
            runs["bm25 and all words"] = words_alone(self.given, seed)
        else:
            learner = learner_of(system, self.given, settings, seed)
            line |= self._fit(learner, self.options.final_seconds)
            start = time.process_time()
            learner.settle()
            line["settling_s"] = time.process_time() - start
            runs, line["words"] = runs_of(self.given, learner, system)
        per_query = self.given.shop.per_query(test, runs)
        means = per_query.groupby("system")["recall@50"].mean()
        line["recall@50"] = {name: round(float(value), 4) for name, value in means.items()}
        self.results.add_final(system, line, per_query)

    def _fit(self, learner: Learner, seconds: float) -> dict[str, Any]:
        start = time.process_time()
        steps = learner.fit(seconds)
        return {"steps": steps, "processor_s": time.process_time() - start}


def best_of(trials: list[Line]) -> Line:
    """Return the trial with the best value, the first of equals."""
    return trials[int(np.argmax([line["value"] for line in trials]))]
