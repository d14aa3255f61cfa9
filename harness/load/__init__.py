"""Load: how much the backend bears, what breaks first, and whether anything went wrong."""
