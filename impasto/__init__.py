"""The public names of Impasto for those who only talk to a service."""
