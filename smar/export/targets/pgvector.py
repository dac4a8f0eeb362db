"""PostgreSQL with pgvector 0.7 or later, which has sparse vectors.

    pip install psycopg2-binary pyarrow numpy
    python search.py load "postgresql://localhost/shop"
    python search.py answers "postgresql://localhost/shop" > answers.ndjson
    python ../selftest.py answers.ndjson
    psql postgresql://localhost/shop -f query.sql      # one query, to paste

The index finds the nearest, the words come from the items that have one of the query's, and both
parts of the score are exact for all of those.
"""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smar.export.reading import Query, about, batches, dense, run, sparse, test_queries, without

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
DROP TABLE IF EXISTS smar_items;
CREATE TABLE smar_items (
    row integer PRIMARY KEY,
    item_id text NOT NULL,
    fields jsonb NOT NULL,
    vector vector({length}) NOT NULL,
    words sparsevec({num_words}) NOT NULL,
    word_ids integer[] NOT NULL,
    has_ids integer[] NOT NULL
);
"""
INDEXES = """
CREATE UNIQUE INDEX ON smar_items (item_id);
CREATE INDEX ON smar_items USING gin (word_ids);
ANALYZE smar_items;
"""
# pgvector's graph takes vectors of at most 2,000 numbers; longer ones are compared one by one.
NEAREST = "CREATE INDEX ON smar_items USING hnsw (vector vector_ip_ops);"
QUERY = """
SET LOCAL hnsw.ef_search = 400;
WITH near AS MATERIALIZED (
    SELECT row FROM smar_items WHERE {allowed}
    ORDER BY vector <#> %(vector)s::vector LIMIT %(depth)s
), worded AS MATERIALIZED (
    SELECT row FROM smar_items WHERE word_ids && %(word_ids)s::integer[] AND {allowed}
    ORDER BY words <#> %(words)s::sparsevec, row LIMIT %(depth)s
)
SELECT item_id, - (vector <#> %(vector)s::vector) - (words <#> %(words)s::sparsevec) AS score
FROM smar_items
WHERE row IN (SELECT row FROM near UNION SELECT row FROM worded)
ORDER BY score DESC, row LIMIT %(k)s;
"""
_DEPTH = 200
_LONGEST = 2000


@contextmanager
def connect(place: str) -> Iterator[Any]:
    """Yield a connection; what was done is committed at the end."""
    import psycopg2

    connection = psycopg2.connect(place)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def load(connection: Any, export: Path) -> None:
    """Make the table anew and fill it."""
    facts = about(export)
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA.format(**facts))
        for rows, vectors, words in batches(export):
            lines = [
                [
                    str(row["row"]),
                    row["item_id"],
                    json.dumps(row),
                    json.dumps(vector.tolist()),
                    _sparse(of_item, facts["num_words"]),
                    _array(of_item),
                    _array(row.get("has_ids", [])),
                ]
                for row, vector, of_item in zip(rows, vectors, words, strict=True)
            ]
            text = "".join("\t".join(map(_escaped, line)) + "\n" for line in lines)
            cursor.copy_expert("COPY smar_items FROM STDIN", io.StringIO(text))
        if facts["length"] <= _LONGEST:
            cursor.execute(NEAREST)
        cursor.execute(INDEXES)
    connection.commit()


def parameters(query: Query, num_words: int, k: int) -> dict[str, Any]:
    """Return what `QUERY` takes."""
    words = sparse(query)
    return {
        "vector": json.dumps(dense(query)),
        "words": _sparse(words, num_words),
        "word_ids": list(words),
        "depth": max(k, _DEPTH),
        "k": k,
    }


def statement(query: Query) -> str:
    """Return `QUERY` without the items that a query leaves out."""
    gone = [
        " AND ".join(f"has_ids && '{_array(words)}'::integer[]" for words in each["words"])
        + f" AND NOT has_ids && '{_array(each['unless'])}'::integer[]"
        for each in without(query)
    ]
    return QUERY.replace("{allowed}", " AND ".join(["true", *(f"NOT ({one})" for one in gone)]))


def files(export: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the table's definition, and the statement for the first test query."""
    facts = about(export)
    yield "schema.sql", [SCHEMA.format(**facts), NEAREST, INDEXES]
    first = test_queries(export)[0]
    values = parameters(first, facts["num_words"], 10)
    values |= {"word_ids": _array(values["word_ids"])}
    quoted = {name: f"'{v}'" if isinstance(v, str) else v for name, v in values.items()}
    yield "query.sql", ["BEGIN;", (statement(first) % quoted).strip(), "COMMIT;"]


def search(connection: Any, query: Query, k: int) -> list[str]:
    """Return the ids of the k best items, best first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT atttypmod FROM pg_attribute WHERE attrelid = "
                       "'smar_items'::regclass AND attname = 'words'")  # fmt: skip
        cursor.execute(statement(query), parameters(query, int(cursor.fetchone()[0]), k))
        return [item_id for item_id, _ in cursor.fetchall()]


def _sparse(words: dict[int, float], num_words: int) -> str:
    """Return a sparse vector as pgvector writes it; it counts from 1."""
    entries = ",".join(f"{word + 1}:{weight!r}" for word, weight in sorted(words.items()))
    return f"{{{entries}}}/{num_words}"


def _array(numbers: Iterable[int]) -> str:
    """Return whole numbers as PostgreSQL writes an array."""
    return f"{{{','.join(map(str, numbers))}}}"


def _escaped(text: str) -> str:
    """Return a value as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


if __name__ == "__main__":
    run(connect, load, search)
