"""Tests of penalized and bounded problems."""
