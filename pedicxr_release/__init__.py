"""The gate before publishing an annotated radiograph dataset: examine, judge, package."""

__version__ = "0.1.0"
