"""What the engine refuses, as the exceptions that py-amqp raises for RabbitMQ's answers."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from amqp import spec
from amqp.exceptions import (
    ChannelError,
    FrameSyntaxError,
    RecoverableConnectionError,
    error_for_code,
)

from sandbox.engine.errors import BrokerError, Closed, Unencodable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Channel

C = TypeVar("C", bound="Channel")
P = ParamSpec("P")
R = TypeVar("R")
Signature = tuple[int, int]


#: Methods that AMQP does not answer: a client does not learn from them that its connection is gone.
_UNANSWERED = (spec.Basic.Ack, spec.Basic.Nack, spec.Basic.Reject)


def amqp_errors(
    signature: Signature,
) -> Callable[[Callable[Concatenate[C, P], R]], Callable[Concatenate[C, P], R]]:
    """Let a channel's method of that AMQP signature raise py-amqp's exceptions."""

    def decorate(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
        @wraps(method)
        def call(self: C, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except BrokerError as error:
                if signature not in _UNANSWERED:
                    self.was_refused()
                raise as_amqp(error, signature) from None

        return call  # type: ignore[return-value]  # `wraps` forgets that self is positional

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
