"""Values of every kind, what columns of every type make of them, and what is allowed: told by what values mean, not by
the program.

A value arrives as a value of the column's type that means the same, or its record is a reject. `meaning` is what a
value of a kind
means to a column of a class ("number", "text", "moment"); `read` is what a client saw there.
"""
import base64
import datetime
import decimal
import json
import re
import struct
import uuid

CONTEXT = decimal.Context(prec=400, Emin=-5000, Emax=5000)
ANY_JSON = "the value as JSON text"
NOTHING = "nothing"   # the value means nothing to such a column

BYTES = [b"", b"plain", b'{"a": 1}', b"\x00\xff", bytes(range(16)), "é".encode()]
# kind: (as a folder of JSON lines declares it, the values as its lines have them)
KINDS = {
    "bool": ({"type": "bool"}, [True, False]),
    "int64": ({"type": "int64"}, [0, 1, -1, 200, 70000, 3000000000, 9007199254740993, -2 ** 63, 2 ** 63 - 1,
                                  1700000000]),
    "uint64": ({"type": "uint64"}, [0, 1, 2 ** 63, 2 ** 64 - 1]),
    "float64": ({"type": "float64"}, [0.0, 1.0, 0.1, -5.5, 1e300, 5e-324, 16777217.0]),
    "decimal": ({"type": "decimal", "precision": 40, "scale": 10},
                list(map(decimal.Decimal, [
                    "0.0000000000", "1.0000000000", "1.1000000000", "-2.5000000000", "0.0050000000",
                    "99999999.9950000000", "123456789012345678901234.5000000000"]))),
    "text": ({"type": "text"}, ["", "plain", " x ", "007", "1", "1.50", "true", "2024-02-29", "2024-02-29 13:14:15",
                                "2024-02-29T13:14:15.123456Z", "13:14:15", "26:00:00", "P1DT2H",
                                '{"a": 1}', "[1,2]", "{1,2}", "null", "00112233-4455-6677-8899-aabbccddeeff",
                                "192.168.0.1", "é\U0001F411", "a\0b", "sad", "\\x00ff", "10000001",
                                "2024", "a text of more than ten letters"]),
    "bytes": ({"type": "bytes"}, [base64.b64encode(value).decode() for value in BYTES]),
    "date": ({"type": "date"}, ["2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"]),
    "time": ({"type": "time"}, ["00:00:00", "13:14:15", "13:14:15.123456", "23:59:59.9999999"]),
    "timestamp": ({"type": "timestamp"}, ["2024-02-29T00:00:00", "2024-02-29T13:14:15", "2024-02-29T13:14:15.123456",
                                          "2024-02-29T13:14:15.123456789", "1900-01-01T00:00:00"]),
    "instant": ({"type": "timestamp", "zoned": True}, ["2024-02-29T00:00:00Z", "2024-02-29T13:14:15.123456Z",
                                                       "2024-02-29T13:14:15.123456789Z", "1900-01-01T00:00:00Z"]),
    "interval": ({"type": "interval"}, ["PT0S", "PT2H", "PT26H", "P1D", "P1M", "PT0.5S", "-PT1H",
                                        "P1Y2M3DT4H5M6.000007S"]),
    "uuid": ({"type": "uuid"}, ["00112233-4455-6677-8899-aabbccddeeff", "00000000-0000-0000-0000-000000000000"]),
    "json": ({"type": "json"}, [{"a": [1, decimal.Decimal("2.50")]}, "plain", "1", 1, True, [1, 2], [], ["a", None],
                                [[1, 2], [3, 4]]]),
}


def number(value):
    try:
        found = CONTEXT.create_decimal(str(value).strip())
    except decimal.InvalidOperation:
        return NOTHING
    return CONTEXT.normalize(found) if found.is_finite() else NOTHING


def exact_digits(text):
    return number(text) if re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", text) else NOTHING


def narrow(value):
    """The float of 32 bits next to it."""
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def is_float(found, value, bits):
    """
    Is the number what a float of so many bits holds exactly, or are its shortest digits those of the float that was
    found?
    """
    near = float(found) if bits == 64 else narrow(found)
    shortest = repr(near) if bits == 64 else next(text for text in ("%.*g" % (digits, near) for digits in range(1, 10))
                                                  if narrow(text) == near)
    return number(shortest) == value or CONTEXT.normalize(CONTEXT.create_decimal(near)) == value


# --- times: nanoseconds of a clock, (days, nanoseconds) of a moment, (months, days, nanoseconds) of a length

def fraction(text):
    return int((text or "").ljust(9, "0")[:9]) if len(text or "") <= 9 else None


def clock(text):
    found = re.fullmatch(r"(-?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d+))?)?", text)
    if not found:
        return NOTHING
    sign, hours, minutes, seconds, rest = found.groups()
    value = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * 10 ** 9 + fraction(rest)
    return -value if sign else value


def day(text):
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text)
    try:
        return datetime.date(*map(int, found.groups())).toordinal() if found else NOTHING
    except ValueError:
        return NOTHING


def moment(text):
    """(day, nanoseconds, does it name a zone)"""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s?(Z|[-+]\d\d(?::?\d\d)?)?)?", text)
    if not found or day(found.group(1)) == NOTHING:
        return NOTHING
    nanoseconds = clock(found.group(2)) if found.group(2) else 0
    if nanoseconds == NOTHING or found.group(3) not in (None, "Z", "+00", "+00:00"):
        return NOTHING
    return day(found.group(1)), nanoseconds, found.group(3) is not None


def length(text):
    found = re.fullmatch(
        r"(-?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?",
        text)
    if not found or text in ("P", "-P"):
        return NOTHING
    sign, years, months, days, hours, minutes, minus, seconds, rest = found.groups()
    second = (int(seconds or 0) * 10 ** 9 + fraction(rest)) * (-1 if minus else 1)
    value = (int(years or 0) * 12 + int(months or 0), int(days or 0),
             (int(hours or 0) * 3600 + int(minutes or 0) * 60) * 10 ** 9 + second)
    return tuple(-part for part in value) if sign else value


def length_of(text):
    """Of ISO 8601, or a clock that may go beyond a day."""
    found = length(text)
    return found if found != NOTHING or clock(text) == NOTHING else (0, 0, clock(text))


def json_of(text):
    try:
        return as_json(json.loads(text, parse_float=decimal.Decimal, parse_constant=lambda word: 1 / 0))
    except (ValueError, ZeroDivisionError, RecursionError):
        return NOTHING


def as_json(value):
    """With numbers by what they are worth."""
    if isinstance(value, dict):
        return tuple(sorted((name, as_json(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ["list", *map(as_json, value)]
    return value if value is None or isinstance(value, (bool, str)) else number(value)


def array(text):
    """{1,NULL,"a b"} as JSON of texts."""
    tokens = re.findall(r'[{},]|"(?:\\.|[^"\\])*"|[^{},"]+', text)
    if not tokens or tokens[0] != "{":
        return NOTHING

    def take(at):
        items, at = ["list"], at + 1
        while at < len(tokens) and tokens[at] != "}":
            if tokens[at] == "{":
                item, at = take(at)
                items.append(item)
            elif tokens[at] != ",":
                token = tokens[at]
                items.append(re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] == '"' else None
                             if token.strip().upper() == "NULL" else token.strip())
            at += 1
        return items, at
    items, at = take(0)
    return items if at == len(tokens) - 1 else NOTHING


def words(value):
    """A JSON list with its elements as texts, as an array's client shows them."""
    if isinstance(value, list):
        return ["list", *map(words, value[1:])]
    return value if value is None or isinstance(value, str) else {True: "t", False: "f"}[value] if isinstance(value,
        bool) else str(value)


# --- what a value means to a class of columns

def native(kind, value):
    """The value itself, for comparing what was read back as this kind."""
    return {"bool": lambda: value, "bytes": lambda: base64.b64decode(value) if isinstance(value, str) else value,
            "json": lambda: as_json(value), "date": lambda: day(value),
            "time": lambda: clock(value), "timestamp": lambda: moment(value), "instant": lambda: moment(value),
            "interval": lambda: length(value),
            "uuid": lambda: value.lower(), "text": lambda: value}.get(kind, lambda: number(value))()


def parsed(kind, text):
    """What a text says, read as that kind."""
    if kind == "bool":
        return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(text.lower(), NOTHING)
    if kind == "interval":
        return length_of(text)
    readers = {"text": str, "bytes": lambda one: one.encode(), "json": json_of, "date": day, "time": clock,
               "timestamp": moment, "instant": moment, "uuid": str.lower}
    return readers.get(kind, exact_digits)(text)


def truth(kind, value):
    if kind == "bool":
        return value
    if kind in ("int64", "uint64", "float64", "decimal"):
        return {0: False, 1: True}.get(number(value), NOTHING)
    if kind == "json":
        return value if isinstance(value, bool) else {0: False, 1: True}.get(value, NOTHING) if isinstance(value,
            int) else truth("text", value) if isinstance(value, str) else NOTHING
    return {**dict.fromkeys(("true", "t", "1", "yes", "on"), True),
            **dict.fromkeys(("false", "f", "0", "no", "off"), False)}.get(value, NOTHING) if kind == "text" else NOTHING


def worth(kind, value):
    if kind == "bool" or kind == "json" and isinstance(value, bool):
        return number(int(value))
    if kind in ("int64", "uint64", "float64", "decimal") or kind == "json" and isinstance(value,
        (int, decimal.Decimal)):
        return number(value)
    if kind == "interval":   # microseconds, as `check` says
        months, days, nanoseconds = length(value)
        return number(days * 86400 * 10 ** 6 + decimal.Decimal(nanoseconds) / 1000) if months == 0 else NOTHING
    return exact_digits(value) if kind in ("text", "json") and isinstance(value, str) else NOTHING


def text_of_bytes(value):
    try:
        return base64.b64decode(value).decode()
    except UnicodeDecodeError:
        return None


def time_of(kind, value, reader):
    """Of texts, and JSON strings, the time that they say."""
    return reader(value) if kind in ("text", "json") and isinstance(value, str) else NOTHING


def meanings(kind, value, column):
    """All that the value may become in a column of that class; empty: it has to be a reject."""
    found = meanings_one(kind, value, column)
    if kind == "bytes" and text_of_bytes(value) is not None:
        found += meanings_one("text", text_of_bytes(value), column)
    return [one for one in found if one is not NOTHING]


def meanings_one(kind, value, column):
    if column == "bool":
        return [truth(kind, value)]
    if column in ("number", "single", "double"):
        return [worth(kind, value)]
    if column == "bytes":
        return [native(kind,
                       value)] if kind == "bytes" else [uuid.UUID(value).bytes] if kind == "uuid" else [
                           value.encode()] if kind == "text" else [ANY_JSON] if kind == "json" else []
    if column == "date":
        instant = {"timestamp": moment, "instant": moment}.get(kind, lambda one: NOTHING)(value)
        at_midnight = instant != NOTHING and instant[1] == 0
        return [day(value) if kind == "date" else instant[0] if at_midnight else time_of(kind, value, day),
                time_of(kind, value, lambda text: moment(text)[0] if moment(text) != NOTHING and moment(text)[1] == 0
                        else NOTHING)]
    if column in ("moment", "instant"):
        found = moment(value) if kind in ("date", "timestamp", "instant") else time_of(kind, value, moment)
        return [found[:2] if found != NOTHING else NOTHING]
    if column == "clock":
        found = clock(value) if kind == "time" else time_of(kind, value,
                                                            length_of) if kind != "interval" else length(value)
        return [found if not isinstance(found, tuple) else found[2] if found[:2] == (0, 0)
                else found[1] * 86400 * 10 ** 9 + found[2] if found[0] == 0 else NOTHING]
    if column == "length":
        return [length(value) if kind == "interval" else (0, 0, clock(value)) if kind == "time"
                else time_of(kind, value, length_of)]
    if column == "uuid":
        text = value.lower() if kind in ("uuid", "text") or kind == "json" and isinstance(value, str) else ""
        raw = base64.b64decode(value) if kind == "bytes" else b""
        return [text if re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) else str(uuid.UUID(bytes=raw))
                if len(raw) == 16 else NOTHING]
    if column == "json":
        # a text of documents is a string of JSON; one that holds an object or a list is that
        as_text = (json_of(value) if kind == "text" and value[:1] in ("{", "[") and json_of(value) != NOTHING else value
                   if kind == "text" else NOTHING)
        itself = {"json": lambda: as_json(value), "bool": lambda: value}.get(kind, lambda: NOTHING)()
        return [as_text, itself, worth(kind, value) if kind in ("int64", "uint64", "float64", "decimal") else NOTHING]
    if column in ("array of numbers", "array of texts"):
        items = as_json(value) if kind == "json" else json_of(value) if kind == "text" and value.startswith(
            "[") else NOTHING
        return [words(items) if isinstance(items, list) else array(value) if kind == "text" else NOTHING]
    raise AssertionError(column)


def arrived(kind, column, text):
    """What a client read in the column, for comparing with meanings; and for texts, as the kind that it was."""
    readers = {"bool": lambda one: parsed("bool", one), "number": exact_digits, "single": exact_digits,
               "double": exact_digits, "bytes": bytes.fromhex, "date": day, "clock": clock, "length": length_of,
               "uuid": str.lower, "json": json_of, "array of numbers": array, "array of texts": array}
    if column in ("moment", "instant"):
        return moment(text)[:2] if moment(text) != NOTHING else text
    return readers[column](text)


def is_same(kind, value, column, text):
    """Does what a client read mean what the value does?"""
    if column == "any":   # a column that keeps kinds apart: ("text", "plain"), ("bytes", "00ff"), ("number", "1")
        # as SQLite's own functions write it, in UTC
        if kind == "instant" and text[0] == "text" and moment(text[1]) != NOTHING:
            return moment(text[1])[:2] == moment(value)[:2]
        return is_same(kind, value, *text)
    if column in ("text", "padded"):
        if kind == "bytes":
            return text_of_bytes(value) == text
        if kind == "text":
            return text == value or column == "padded" and text.rstrip(" ") == value.rstrip(" ")
        if kind == "json" and isinstance(value, str) and text == value:
            return True
        return parsed(kind, text.strip() if column == "padded" else text) == native(kind, value)
    found = arrived(kind, column, text)
    allowed = meanings(kind, value, column)
    if ANY_JSON in allowed:
        return json_of(found.decode()) == as_json(value)
    if column in ("single", "double"):
        return any(is_float(found, one, 32 if column == "single" else 64) for one in allowed)
    if column in ("array of numbers",):
        return any(numbers(one) == numbers(found) for one in allowed)
    return found in allowed or column == "json" and kind not in ("text", "bytes", "json") and isinstance(found,
        str) and parsed(kind, found) == native(kind, value)


def numbers(items):
    return ["list", *(numbers(one) if isinstance(one, list) else one if one is None else exact_digits(one)
                      for one in items[1:])]
