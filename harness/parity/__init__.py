"""The same stories on two ledgers, and every difference between what they left."""
