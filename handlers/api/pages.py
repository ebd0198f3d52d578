"""The few HTML pages: self-contained, no script, nothing loaded from anywhere, every value escaped.

The style sheet is named by its hash in the Content-Security-Policy that every answer carries.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi.responses import HTMLResponse

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1rem;color:#1b1b1b}"
    "code{background:#f2f2f2;padding:.1rem .3rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}"
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def message_page(title: str, message: str, *, status: int = HTTPStatus.OK) -> HTMLResponse:
    """A page that says one thing."""
    return _page(title, f"<p>{escape(message)}</p>", status=status)


def documentation_page(openapi: Mapping[str, Any]) -> HTMLResponse:
    """A page that lists the routes of an OpenAPI document."""
    rows = "".join(
        f"<tr><td><code>{escape(method.upper())} {escape(path)}</code></td>"
        f"<td>{escape(operation.get('summary', ''))}</td></tr>"
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    )
    info = openapi["info"]
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n"))
    return _page(
        f"{info['title']} {info['version']}",
        f'{paragraphs}<p>Everything in detail: <a href="openapi.json">openapi.json</a></p><table>{rows}</table>',
        status=HTTPStatus.OK,
    )


def _page(title: str, content: str, *, status: int) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{content}</body></html>",
        status,
    )
