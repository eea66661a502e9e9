"""Small dense linear algebra and random words: plain NumPy and SciPy, no I/O."""
