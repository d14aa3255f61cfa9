"""Metaplex Candy Guard: who may mint, when, and for how much."""
