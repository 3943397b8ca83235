"""The whole system on one machine: real servers from wheels, and their supervisor."""
