"""The tables, and the rows that each has.

A row is a variant of studies/params.yaml on top of `full`, smar as it ships, or `variant:system`:
`text`, `image` and `multimodal` are one vector of its items alone, `words` its vectors with the
words of texts beside them. Before it may stand another form of the data, `DATA/variant`.
"""

from dataclasses import dataclass

DEFAULT = "smar"


@dataclass(frozen=True)
class Place:
    """Where the values of a row are.

    Args:
        data: A form of the data of studies/params.yaml.
        variant: What was trained.
        system: What was searched with: the variant, or `variant:system`.
    """

    data: str
    variant: str
    system: str


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Args:
        title: For people.
        data: The form of the data of rows that name none.
        rows: What is compared.
        against: The row that all others are tested against.
        metrics: Columns of the judged queries.
        asks: Words, with | between them; queries with one of them get columns of their own.
    """

    title: str
    data: str
    rows: tuple[str, ...]
    against: str = DEFAULT
    metrics: tuple[str, ...] = ("recall@50", "ndcg@10")
    asks: str = ""

    def place(self, row: str) -> Place:
        """Return where the values of a row are."""
        data, _, system = row.rpartition("/")
        return Place(data or self.data, system.partition(":")[0], system)

    @property
    def places(self) -> list[Place]:
        """Return the places of all rows, the reference first."""
        return [self.place(row) for row in (self.against, *self.rows)]


FASHION, TWO_SIDES = "fashion_small_pictures", "demo_two_sides"
ALIGNED = "fashion_aligned"
_FUSED = ("recall@50", "ndcg@1", "ndcg@10")
TABLES = (
    Table(
        "SMAR, its baselines and its ablations",
        FASHION,
        ("dpsr_i", "dpsr", DEFAULT, "smar:words", "smar:text", "smar:image", "smar:multimodal",
         "no_cross_attention", "no_image_task", "no_text_task", "no_multimodal_task"),
        metrics=("recall@50", "precision@50", "f1@50"),
    ),
    Table(
        "Gates",
        FASHION,
        (DEFAULT, "gate_never", "gate_always", "gate_category", "gate_learned", "gate_per_item"),
    ),
    Table(
        "Beyond Text, its fusions and weights",
        FASHION,
        (DEFAULT, "no_cross_attention", "late_mean", "gated_sum", "low_rank_bilinear",
         "concat_bilinear", "moe", "moe_bilinear", "residual", "learned_weights", "one_loss"),
        metrics=_FUSED,
    ),
    Table(
        "Beyond Text, three stages",
        FASHION,
        (DEFAULT, "joint_150", "staged", "staged_late_mean", "staged_moe_bilinear"),
        against="joint_150",
        metrics=_FUSED,
    ),
    Table(
        "Beyond Text, its rungs from a start in one space",
        ALIGNED,
        ("untrained", "aligned", "query_aligned", "joint_150", "joint_alignment", "staged",
         "joint_late_mean", "staged_late_mean", "joint_moe_bilinear", "staged_moe_bilinear",
         "dpsr", "staged_concat", "staged_moe"),
        against="joint_150",
        metrics=_FUSED,
    ),
    Table(
        "The demo shop, half of the patterned items with the pattern on their second picture",
        TWO_SIDES,
        ("demo_first_side/smar", DEFAULT, "smar:words", "smar:text", "smar:image",
         "smar:multimodal", "demo_first_side/late_mean", "late_mean", "dpsr"),
        against="demo_first_side/smar",
        asks="striped|dotted|checked|floral",
    ),
)  # fmt: skip
DATA = tuple(dict.fromkeys(place.data for table in TABLES for place in table.places))
"""The forms of the data that tables are of."""


def variants_of(data: str) -> list[str]:
    """Return what has to be trained on a form of the data, each once, in the order of tables."""
    found = (place for table in TABLES for place in table.places if place.data == data)
    return list(dict.fromkeys(place.variant for place in found))
