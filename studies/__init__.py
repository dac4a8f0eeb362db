"""Studies: many variants of the pipeline on the same data, compared with error bars."""
