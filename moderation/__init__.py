"""Screens posts, lets people review them and lets authors object."""
