"""Tests of the nonlinear problems."""
