"""One file a protocol, sans-I/O: bytes in, records out; commands and simulated records in, bytes out."""
