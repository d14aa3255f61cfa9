"""Who is calling: signing in with a wallet, and the tokens that say so afterwards."""
