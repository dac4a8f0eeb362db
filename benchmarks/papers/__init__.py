"""The tables of both papers, every row trained for as many seconds; see ../README.md."""
