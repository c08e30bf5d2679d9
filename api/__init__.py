"""The roof: HTTP, console, command line, environment and timetable."""
