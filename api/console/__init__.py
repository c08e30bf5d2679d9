"""The console: pages for people, rendered on the server, over the same functions that the routes call."""
