"""The on-chain programs as the harness uses them: which bytes run, and whether they agree."""
