"""What the outside looks like: tables, ledger, prices, time."""
