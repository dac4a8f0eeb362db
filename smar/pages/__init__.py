"""Pages for people: templates, plots and galleries of pictures."""
