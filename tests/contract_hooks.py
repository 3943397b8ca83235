"""What schemathesis is told of our formats: manifests are lines of text."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A manifest as it was made up, whatever that is."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
