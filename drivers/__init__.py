"""Hardware in: bytes from decoders, impulse boxes and photo-finish cameras become records."""
