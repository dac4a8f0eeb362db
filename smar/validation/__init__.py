"""What the tables promise, the rows that do not keep it, and the report."""
