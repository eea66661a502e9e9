"""Tall data where it lies."""
