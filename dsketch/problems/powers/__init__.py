"""Powers of the Gram matrix, and other functions of it: chains of solves with AᵀA."""
