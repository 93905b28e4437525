"""``python -m jungle`` is ``jungle``."""

from .cli.main import main

main()
