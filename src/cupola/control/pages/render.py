"""Pages from templates, with the headers that keep them to themselves.

The policy allows our own style sheet and script, forms to ourselves, and no frame anywhere: what is
confirmed here must not be confirmed by a click into somebody else's page.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

_FOLDER: Final = Path(__file__).parent
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
ASSETS: Final[Mapping[str, bytes]] = {
    path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES
}
_STAMP: Final = hashlib.sha256(b"".join(ASSETS.values())).hexdigest()[:12]
"""In the addresses of style sheet and script, so that browsers may keep them."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    # Not `no-referrer`, with which browsers hide from us that a form is our own.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_templates = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined
)


def render(name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """The page `NAME.html`; what it shows is escaped."""
    text = _templates.get_template(f"{name}.html").render(stamp=_STAMP, **values)
    return HTMLResponse(text, status, dict(HEADERS))


def serve_asset(name: str) -> Response:
    """A style sheet or script; there are no others."""
    content = ASSETS.get(name)
    if content is None:
        return Response(status_code=404)
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    headers["x-content-type-options"] = "nosniff"
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)
