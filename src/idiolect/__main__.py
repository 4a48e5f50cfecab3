"""``python -m idiolect`` is the ``idiolect`` command."""

from idiolect.cli import main

main()
