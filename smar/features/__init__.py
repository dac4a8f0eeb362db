"""What frozen backbones make of pictures and texts, computed once and kept."""
