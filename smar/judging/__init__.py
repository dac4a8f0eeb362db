"""Query sets, runs, metrics, slices and paired comparisons."""
