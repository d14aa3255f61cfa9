"""What the backend does: reveal and buyback."""
