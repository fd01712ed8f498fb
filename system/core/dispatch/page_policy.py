"""The Content-Security-Policy of the kernel's own pages, and of any page whose template calls `csp_nonce()`.

A nonce is good for one response: a script or style that an attacker gets into the page has none and does not run.
"""

from __future__ import annotations

import secrets

from flask import has_request_context

from .request import request

HEADER = "Content-Security-Policy"
NONCE_BYTES = 16  # as the specification wants


def csp_nonce() -> str:
    """The nonce of this response, for `<script nonce="{{ csp_nonce() }}">`; with it the page has the policy."""
    if not has_request_context():
        return ""
    request.nonce = request.nonce or secrets.token_urlsafe(NONCE_BYTES)
    return request.nonce


def policy_of(nonce: str) -> str:
    """The policy of a page whose scripts and styles have a nonce: nothing else runs, nothing from elsewhere."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )
