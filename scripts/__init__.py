"""The class handout's command lines: each makes a config and calls the package."""
