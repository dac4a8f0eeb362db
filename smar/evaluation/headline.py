"""The few figures of an evaluation that two runs are compared by."""

from collections.abc import Sequence

from smar.evaluation.systems import HYBRID, SetResult
from smar.judging.slices import SLICES
from smar.judging.unseen_words import REPORT

_BY_RANK = "ndcg@10"
_SLICES = {*SLICES, "cold"}  # the report has the others too
_BESIDE = ("recall@50", _BY_RANK, "mrr@10", "precision@10")


def headline(results: Sequence[SetResult], primary: str) -> dict[str, dict[str, float]]:
    """Return named figures by query set; the first set that has queries decides and has most.

    Of it: the primary metric and a few known ones of the search as served, the primary metric of
    every other system and of the slices by relevance and traffic, and the expected calibration
    errors. Of the other sets: the primary metric of the search as served, and nDCG@10 of words that
    no search has used.

    Args:
        results: The sets in the order in which they count.
        primary: For example "recall@50".
    """
    measured = [result for result in results if len(result.queries)]
    found: dict[str, dict[str, float]] = {}
    for result in measured:
        name = result.queries.name
        found[name] = {primary: result.mean(HYBRID, primary)}
        if result is measured[0]:
            found[name] |= _of_first(result, primary)
        elif name == REPORT and _BY_RANK in result.values[HYBRID]:
            found[name][_BY_RANK] = result.mean(HYBRID, _BY_RANK)
        found[name] = {key: round(float(value), 6) for key, value in found[name].items()}
    return found


def _of_first(result: SetResult, primary: str) -> dict[str, float]:
    served = result.values[HYBRID]
    figures = {metric: result.mean(HYBRID, metric) for metric in _BESIDE if metric in served}
    figures |= {
        f"{primary} of {system}": result.mean(system, primary)
        for system in result.values
        if system != HYBRID
    }
    figures |= {
        f"{primary} on {name}": result.mean(HYBRID, primary, name)
        for name, mask in result.slices.items()
        if mask.any() and name in _SLICES
    }
    figures |= {f"gate error ({outcome})": one.error for outcome, one in result.reliability.items()}
    if result.relevance is not None:
        figures["relevance error"] = result.relevance.reliability.error
    return figures
