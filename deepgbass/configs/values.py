"""Plain values, from JSON or a command line, as frozen dataclasses."""

import dataclasses
import json
import math
import types
import typing

from deepgbass.errors import UserError


def require(condition, section, name, value, wanted):
    """Raises UserError, naming the field, unless the condition holds."""
    if not condition:
        raise UserError(f"{section}.{name} is {value!r}; it must be {wanted}")


def parse_word(text, kind):
    """A word from the command line as a plain value for a field.

    Args:
        text: the word: JSON or, for a tuple, values with commas between.
        kind: the field's annotation; a string's word is taken as it is, that
            of several strings is cut at commas, [] is none of them.
    """
    if text.lower() in ("none", "null"):
        return None
    if str in (kind, *typing.get_args(kind)):
        if typing.get_origin(kind) is not tuple:
            return text
        return [] if text == "[]" else text.split(",")
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        # `crop_size=240,320` reads better than `crop_size=[240,320]`.
        return json.loads(f"[{text}]" if "," in text else text)
    except json.JSONDecodeError:
        return text


def build(cls, values, source):
    """`cls` from plain values, each checked against its annotation."""
    if not isinstance(values, dict):
        raise UserError(f"{source}: {cls.__name__} must be an object")
    fields = {f.name: f.type for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise UserError(
            f"{source}: unknown field {unknown[0]!r} of {cls.__name__}; "
            f"the fields are {', '.join(fields)}"
        )
    return cls(
        **{
            name: build(fields[name], value, source)
            if dataclasses.is_dataclass(fields[name])
            else _coerce(fields[name], value, f"{source}: {name}")
            for name, value in values.items()
        }
    )


def _coerce(kind, value, what):
    """`value` as `kind`, where nothing is lost by it."""
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_coerce(item, v, what) for v in values)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or value in (math.inf, -math.inf):
        raise UserError(
            f"{what} is {value!r}; it must be of type {kind.__name__}"
        )
    return value
