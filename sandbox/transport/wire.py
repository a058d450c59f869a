"""Messages as they come and go: what a wire would do to them, without the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.transport import base

from sandbox.engine.errors import Unencodable
from sandbox.engine.model import copy_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.model import Message as Stored

    from .channel import Channel

#: AMQP's basic properties as py-amqp names them, with their greatest number, or None for a text; others are
#: not sent.
_PROPERTIES: dict[str, int | None] = {
    "content_type": None,
    "content_encoding": None,
    "delivery_mode": 255,
    "priority": 255,
    "correlation_id": None,
    "reply_to": None,
    "expiration": None,
    "message_id": None,
    "timestamp": 2**64 - 1,
    "type": None,
    "user_id": None,
    "app_id": None,
    "cluster_id": None,
}


class Prepared(NamedTuple):
    """A message on its way out.  `properties` is the caller's own: kombu may still change it."""

    body: Any
    headers: Mapping[str, Any] | None
    properties: Mapping[str, Any]


class Message(base.Message):
    """A message on its way in; everything that can be changed in it is its own."""

    def __init__(self, stored: Stored, channel: Channel | None, delivery_info: dict[str, Any]) -> None:
        headers = copy_table(stored.headers) if stored.headers else {}
        properties = {**stored.properties, "application_headers": headers}
        super().__init__(  # type: ignore[no-untyped-call]  # kombu's
            body=_decoded(stored.body, properties.get("content_encoding")),
            delivery_tag=delivery_info.get("delivery_tag"),
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            delivery_info=delivery_info,
            properties=properties,
            headers=headers,
            channel=channel,
        )


def encode(message: Any) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Body, headers and properties as they would go over the wire; of ours, or of an `amqp.Message`."""
    given = message.properties
    headers = message.headers if type(message) is Prepared else given.get("application_headers")
    properties = {}
    for name, value in given.items():
        if value is not None and name in _PROPERTIES:
            properties[name] = _property(name, value, _PROPERTIES[name])
    body = message.body
    if isinstance(body, str):
        body = body.encode(properties.setdefault("content_encoding", "utf-8"))
    elif isinstance(body, bytearray):
        body = bytes(body)
    elif not isinstance(body, bytes):
        raise Unencodable(f"a body is bytes or text, not {type(body).__name__}", "A serializer makes it so.")
    return body, copy_table(headers) if headers else {}, properties


def _property(name: str, value: Any, most: int | None) -> Any:
    if most is None:
        return short(value, f"the property {name}")
    if not isinstance(value, int) or not 0 <= value <= most:
        raise Unencodable(f"the property {name} is a number from 0 to {most}, not {value!r}")
    return value


def _decoded(body: bytes, encoding: str | None) -> bytes | str:
    """The body as text if its encoding says that it is, as py-amqp does (`Channel.auto_decode`)."""
    if encoding is None:
        return body
    try:
        return body.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return body


def short(text: Any, what: str = "a name or routing key") -> str:
    """A text of at most 255 bytes (TOP-10); None is the empty one, as in py-amqp."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Unencodable(f"{what} is text, not {type(text).__name__}")
    if len(text) > 63 and len(text.encode()) > 255:
        raise Unencodable(f"{what} has at most 255 bytes, not {len(text.encode())}")
    return str.__str__(text)  # of a subclass only the text goes over the wire
