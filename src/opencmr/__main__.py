"""``python -m opencmr``: the command line, where the script is not on the path."""

from opencmr.cli import main

if __name__ == "__main__":  # not in processes that are started anew from this module
    main()
