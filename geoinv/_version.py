"""The version of geoinv, in a file of its own so that every module can read it without importing the package's face."""

__version__ = "0.1.0"
