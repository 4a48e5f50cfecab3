"""The studio: a web page on this machine where the person writes, compares, watches trainings and sets up.

Knows the layers below through their functions. Knows nothing of the command line, nor of where the models run.
"""

from idiolect.studio.access import Access
from idiolect.studio.app import studio_app

__all__ = ["Access", "studio_app"]
