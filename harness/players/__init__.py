"""Players: people with a wallet, and what they do with it."""
