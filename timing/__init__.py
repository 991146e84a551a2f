"""What the times mean: journal, clock fits, numba core, race logic, race control."""

__version__ = "0.1.0"
