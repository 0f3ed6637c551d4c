"""What the edge's commands say to a running node: HTTP to its admin listener.

The rule of this file: a refusal or a node that does not answer is one line that says what to do about it.
"""

from __future__ import annotations

import http.client
import json
from typing import Any

from conf.errors import StartError
from conf.sockets import split_address

_PATIENCE = 60.0  # seconds


def order_purge(admin: str, orders: list[dict[str, Any]]) -> None:
    """Have a node carry out purges, one after another; in force and durable on return. Raises StartError."""
    connection = http.client.HTTPConnection(*split_address(admin), timeout=_PATIENCE)
    try:
        for order in orders:
            connection.request("POST", "/purge", json.dumps(order), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 204:
                raise StartError(_detail(body, answer.status))
    except OSError as error:
        raise StartError(f"edge.admin is {admin}: no edge answers there ({error}); start it, or give --admin") from None
    finally:
        connection.close()


def _detail(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the admin listener answered {status}"
