"""A figure of ours in Evidently's page: the AUC of a cross-validated domain classifier."""

from evidently.core.datasets import Dataset
from evidently.core.metric_types import SingleValue, SingleValueCalculation, SingleValueMetric
from evidently.core.report import Context
from evidently.legacy.renderers.html_widgets import CounterData, counter


class DomainClassifierAuc(SingleValueMetric):  # type: ignore[misc]  # evidently is untyped here
    """How well a logistic regression tells today's embeddings from the reference's."""

    name: str
    auc: float
    seen: str


class DomainClassifierAucCalculation(SingleValueCalculation[DomainClassifierAuc]):  # type: ignore[misc]
    """Shows the figure, which was computed on the embeddings."""

    def calculate(
        self, context: Context, current_data: Dataset, reference_data: Dataset | None
    ) -> SingleValue:
        """Return the figure with its widget."""
        result = self.result(self.metric.auc)
        text = f"AUC {self.metric.seen}"
        result.widget = [counter(counters=[CounterData(label=self.display_name(), value=text)])]
        return result

    def display_name(self) -> str:
        """Return the heading."""
        return f"Domain classifier: {self.metric.name}"
