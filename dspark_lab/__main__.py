"""``python -m dspark_lab``: the command line."""

from dspark_lab.cli import main

if __name__ == "__main__":
    main()
