"""Metaplex Candy Machine Core: counts and mints the items of a drop."""
