"""Flows that solve with the exponential kernel: never formed, swept tile by tile."""
