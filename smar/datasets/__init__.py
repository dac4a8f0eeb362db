"""Public data sets, as their publishers ship them: what they are, and the raw files of a shop."""
