"""The data sets that are known, one file each; `DATASET` says all about one."""
