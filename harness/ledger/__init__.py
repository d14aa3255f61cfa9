"""Where transactions run. One small protocol; clients cannot tell which kind they talk to."""
