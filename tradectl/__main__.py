"""`python -m tradectl` is the program `tradectl`."""

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the program; Ctrl-C while it is still being imported ends it as quietly as later."""
    try:
        from tradectl.cli.main import main as program
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    program()


if __name__ == "__main__":
    main()
