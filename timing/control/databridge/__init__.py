"""The meet as metarace's data bridge tells it, for boards and graphics that were made for that."""
