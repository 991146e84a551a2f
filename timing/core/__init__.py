"""The numba core: arrays in, arrays out. No objects, no clock, no I/O (DESIGN §6).

Importing this package, `timing.core.runtime` or `timing.core.arrays` is light: numba itself is loaded with
the first module that holds a kernel (`splits`, `order`, `pace`, `margins` …). A service therefore calls
`runtime.prepare_cache(folder)` first, then `runtime.warm()` and `runtime.freeze()`; after that nothing is
compiled any more while a race runs.
"""
