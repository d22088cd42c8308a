"""Synthetic release candidates: clean or with chosen faults, small or as large as the real thing. No real data is in them."""
