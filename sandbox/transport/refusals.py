"""What the engine refuses, as the exceptions that py-amqp raises for RabbitMQ's answers."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from amqp.exceptions import (
    ChannelError,
    FrameSyntaxError,
    RecoverableConnectionError,
    error_for_code,
)

from sandbox.engine.errors import BrokerError, Closed, Unencodable

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")
Signature = tuple[int, int]


def amqp_errors(signature: Signature) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method of that AMQP signature raise py-amqp's exceptions."""

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except BrokerError as error:
                raise as_amqp(error, signature) from None

        return call

    return decorate


def as_amqp(error: BrokerError, signature: Signature | None = None) -> Exception:
    """The exception, with RabbitMQ's words in it and our help beside it."""
    result: Exception
    if isinstance(error, Closed):
        result = RecoverableConnectionError(error.reply_text)
    elif isinstance(error, Unencodable):
        result = FrameSyntaxError(error.reply_text, signature)
    else:
        result = error_for_code(error.code, error.reply_text, signature, ChannelError)
    for note in getattr(error, "__notes__", ()):
        result.add_note(note)
    return result
