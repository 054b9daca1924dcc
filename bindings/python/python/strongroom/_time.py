"""Moments and spans as Python people have them, and as the library has them: microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ._errors import InvalidError

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

#: A moment: a ``datetime`` with a time zone, or RFC 3339 text.
Moment = datetime | str
#: A span: a ``timedelta``, or text such as ``"30d"``.
Span = timedelta | str


def moment_to_json(moment: Moment | None) -> int | str | None:
    """A moment in a request."""
    if moment is None or isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        raise InvalidError(
            f"{moment.isoformat()} has no time zone, and guessing one moves a restore",
            "write datetime(…, tzinfo=timezone.utc), or use .astimezone()",
        )
    return (moment - EPOCH) // MICROSECOND


def moment_from_json(micros: int) -> datetime:
    """A moment of an answer."""
    return EPOCH + timedelta(microseconds=micros)


def span_to_json(span: Span | None) -> str | None:
    """A span in a request: the library counts whole milliseconds."""
    if span is None or isinstance(span, str):
        return span
    millis, rest = divmod(span, timedelta(milliseconds=1))
    if rest or millis < 0:
        raise InvalidError(f"the span {span!r}", "give whole milliseconds, and no negative span")
    return f"{millis}ms"
