"""Server-sent events, byte for byte as the strictest client reads them.

An event is one `data: ` line (one space), a line feed and an empty line: no comments, no `event:`
or `id:` lines, no carriage returns. The Azure client for Python raises on anything else, the one
for C# waits for `[DONE]` for ever.
"""

PREFIX = b"data: "
END = b"\n\n"
DONE = b"data: [DONE]\n\n"
