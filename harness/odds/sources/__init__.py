"""Where draws come from: files, a database, a ledger, the reveal API, the roll alone.

Five wells, one bucket: each gives the same tidy table (time, mint, wallet, box, tier, skin).
"""
