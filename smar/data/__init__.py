"""Sources, tables, pictures and training data."""
