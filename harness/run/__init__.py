"""A run: one folder, one verdict. From the command line to the report."""
