"""Turns verified demands into events, reports, cases and deliveries."""
