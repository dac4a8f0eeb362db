"""The embedded demo shop: items, drawings and a simulated search log."""
