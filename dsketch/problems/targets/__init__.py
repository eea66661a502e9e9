"""Targets: least squares and ridge for a million right-hand sides at once, each with values missing of its own.

::

    problem ── what is asked: A, b of any number of dimensions, weights, a penalty, what a missing value means
      ├── design     what all targets share: the rows of A as numbers, their factor, the constant
      ├── chain      answers tiles of targets without a missing value, by orthogonal factors of A, reading b once
      ├── batch      answers tiles of targets each with rows or a penalty of its own, by whitened d × d systems side by side
      │     └── sums  packed  alone    what is added up of a slice;  the systems;  targets that need a QR of their own rows
      ├── cells      a slice of b as float64, and what must not stand there
      ├── fields     what is written of every target
      ├── method     what it costs
      └── certificate          what is known of all targets together
"""
