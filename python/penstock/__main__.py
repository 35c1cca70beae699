"""``python -m penstock``: the command line."""

import sys

from penstock._cli import main

if __name__ == "__main__":
    sys.exit(main())
