"""Where a request comes from, as the audit log and the counting of tries know it."""

from starlette.requests import Request


def source_of(request: Request) -> str:
    """The caller's address; no header is believed, since anybody can write one."""
    return request.client.host if request.client else "unknown"
