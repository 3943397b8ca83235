"""How fast, how lean, and where the rest goes: measured on the whole system, over HTTP."""
