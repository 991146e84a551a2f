"""Simulated hardware: a scripted race becomes the same bytes that the real boxes send (see README.md)."""
