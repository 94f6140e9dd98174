"""`python -m bluegold` is the `bluegold` command."""

from bluegold.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
