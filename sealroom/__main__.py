"""``python -m sealroom`` is the command ``sealroom``."""

from sealroom.cli import main

if __name__ == "__main__":
    main()
