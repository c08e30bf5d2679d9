"""Reads need, domain, tone and place of posts and groups them into collective demands."""
