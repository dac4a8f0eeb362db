"""The synthetic pairs that no training sees."""

from typing import cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.data import schema
from smar.paths import Paths


def held_out_synthetic(paths: Paths) -> pd.DataFrame:
    """Return the synthetic pairs that are not trained on, few of very many (`schema.SYNTHETIC`)."""
    file = paths.synthetic / "queries.parquet"
    batches = schema.read_batches(file, schema.SYNTHETIC, schema.SYNTHETIC.names, rows=65_536)
    kept = [batch.filter(pc.equal(batch["split"], "validation")) for batch in batches]
    return cast("pd.DataFrame", pa.Table.from_batches(kept, schema.SYNTHETIC).to_pandas())
