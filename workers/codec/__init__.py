"""
From bytes to pixels and back.

Imports nothing here: the decoder children come by, and they know no numpy.
"""
