"""Several problems on heads of one A, answered together: the passes of the slowest, not their sum."""
