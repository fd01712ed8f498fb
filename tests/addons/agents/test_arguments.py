"""The arguments of a tool are bound, limited and refused as the JSON body of a request is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Site

from .test_door import ADDONS, Assistant

BODIES = '''
from decimal import Decimal
from kernkoa import *


class Bodies:
    def echo(self, params):
        """Returns what was sent."""
        return {"items": dict(params), "json": params.json, "flask": request.get_json(), "bytes": len(request.data)}

    def typed(self, numbers: list[float] = [], price: Decimal = Decimal(1), text: str = ""):
        """Returns what was sent."""
        return {"numbers": numbers, "price": price, "text": text}
'''
LIMITS = {"maxJsonValues": 20, "maxJsonDepth": 4, "maxParamsBytes": 500}
ARGUMENTS = [
    "{}",
    '{"text": "Ünïcode 😀 \\u00e9", "price": 0.1, "numbers": [1, 2.5]}',
    '{"text": "Infinity", "get": "a name of Params", "data": {"x": null}}',
    '{"numbers": [1e308, -0.0], "price": 1000000000000000000000000000000}',
    '{"numbers": [1e400], "price": 1e400}',
    '{"other": {"deep": [-1e999]}}',
    '{"numbers": "ten", "price": "Infinity", "text": 7}',
    '{"text": 1, "text": "the last one"}',
    '{"numbers": [[[[[1]]]]]}',
    json.dumps({"numbers": list(range(30))}),
    json.dumps({"text": "x" * 600}),
]


@pytest.mark.parametrize("method", ["echo", "typed"])
def test_arguments_mean_what_the_same_json_body_means(site: Site, method: str) -> None:
    site.write("bodies.py", BODIES)
    client = site.client(**ADDONS, agents="public", **LIMITS)
    assistant = Assistant(client)
    assistant.tools()
    for arguments in ARGUMENTS:
        answer = client.post(f"/bodies/Bodies/{method}", data=arguments, content_type="application/json")
        result = _call(client, f"bodies_Bodies_{method}", arguments)
        assert bool(result.get("isError")) == (answer.status_code != 200), (arguments, result, answer.text)
        if answer.status_code == 200:
            assert {**result["structuredContent"], "bytes": 0} == {**answer.get_json(), "bytes": 0}


def _call(client: Any, name: str, arguments: str) -> Any:
    message = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":%s}}'
    headers = {"MCP-Protocol-Version": "2025-11-25"}
    sent = client.post(
        "/_koa/mcp", data=message % (name, arguments), content_type="application/json", headers=headers
    )
    return sent.get_json()["result"]
