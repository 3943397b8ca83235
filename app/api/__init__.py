"""The door: HTTP in front of `app.submission` and the tables."""
