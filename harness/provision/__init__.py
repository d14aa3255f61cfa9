"""Setting up an economy that stays: what the one-shot jobs of docker-compose.yml run."""
