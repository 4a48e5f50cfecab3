"""Make a language model write as one particular person, and measure whether it does."""

__version__ = "0.1.0"
