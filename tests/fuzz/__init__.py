"""Doors that strangers' bytes come through, each held to what it promises; `make fuzz`."""
