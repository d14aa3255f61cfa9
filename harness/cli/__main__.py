"""`python -m harness.cli`: the command line where the package is not installed."""

from harness.cli.main import main

if __name__ == "__main__":
    main()
