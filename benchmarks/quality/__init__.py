"""What people would use instead of smar, on the same data, split and budget; see ../README.md."""
