"""The validation report as one page."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment

from smar.artifacts import write_file
from smar.data.expectations import CheckResult

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Validation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{--bg:#fafaf8;--ink:#1d2129;--soft:#667080;--line:#e4e5e8;--good:#16855b;--bad:#b9402a}
@media (prefers-color-scheme:dark){:root{--bg:#15171b;--ink:#e8eaee;--soft:#9aa3b2;--line:#31353d;
--good:#45c795;--bad:#f08a73}}
body{background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:960px;
margin:0 auto;padding:32px 24px}
h2{margin:32px 0 4px;font-size:18px} small,.soft{color:var(--soft);font-weight:400}
table{border-collapse:collapse;width:100%} td,th{text-align:left;padding:6px 10px;
border-bottom:1px solid var(--line);vertical-align:top} th{color:var(--soft);font-size:13px}
.yes{color:var(--good)} .no{color:var(--bad);font-weight:650}
</style></head><body>
<h1>Validation</h1>
<p class="{{ 'no' if failed else 'yes' }}">{{ failed }} of {{ results | length }} expectations
failed.</p>
{% for table, rows in results | groupby('table') %}
<h2>{{ table }} <small>{{ '{:,}'.format(sizes[table]) }} rows</small></h2>
<table><tr><th></th><th>column</th><th>expected</th><th>seen</th><th>examples</th></tr>
{% for row in rows | sort(attribute='success') %}
<tr><td class="{{ 'yes' if row.success else 'no' }}">{{ 'holds' if row.success else 'fails' }}</td>
<td>{{ row.column }}</td><td>{{ row.rule }}</td><td class="soft">{{ row.observed }}</td>
<td>{{ row.examples | join(', ') }}</td></tr>
{% endfor %}</table>
{% endfor %}
</body></html>
"""


def write_validation_page(
    path: Path, results: Sequence[CheckResult], sizes: dict[str, int]
) -> None:
    """Write the page; every text that comes from data is escaped.

    Args:
        path: The HTML file.
        results: All results.
        sizes: Rows by table.
    """
    template = Environment(autoescape=True).from_string(_PAGE)
    failed = sum(not result.success for result in results)
    with write_file(path) as temporary:
        text = template.render(results=results, sizes=sizes, failed=failed)
        temporary.write_text(text, encoding="utf-8")
