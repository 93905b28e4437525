"""``python -m jungle`` is ``jungle``."""

from .cli import main

main()
