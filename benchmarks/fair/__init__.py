"""The fair study: equal recipe, trials and seconds for every system; see ../README.md."""
