"""Computes the figures that organisations are measured by."""
