"""Least squares and ridge, min ‖A x − b‖² + Σ pᵢ xᵢ²: one method a file, the paper on top."""
