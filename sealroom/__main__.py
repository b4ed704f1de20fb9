"""``python -m sealroom``."""

from sealroom.cli import main

if __name__ == "__main__":
    main()
