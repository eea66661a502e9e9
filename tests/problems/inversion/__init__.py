"""Inverse problems of leverage scores."""
