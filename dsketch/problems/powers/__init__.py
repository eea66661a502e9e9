"""Powers of the Gram matrix: chains of solves with AᵀA, and functions of it."""
