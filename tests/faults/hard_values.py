"""Values that are hard to move, by source and kind, and what they mean: for test_check_against_run.

A kind is (its column's declaration, its values as the source's own language writes them, the class of what they mean).
Classes are those of
`forms`: two values mean the same if one of their forms is the same.
"""
import base64
import decimal
import hashlib
import json
import os
import re
import struct
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), TESTS]
import kinds as lengths
from engines.cassandra import day_number

HUGE = 20_000_000 if os.environ.get("TRANSHUME_SOAK") == "1" else 2_000_000   # bytes of the largest values

SHEEP = "'\U0001F411\u200d\U0001F467'"
MOMENTS = ["'2024-02-29 13:14:15'", "'2024-02-29 13:14:15.123'", "'2024-02-29 13:14:15.123456'",
           "'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.999999'"]
BEYOND = ["'infinity'", "'-infinity'", "'0044-03-15 12:00:00 BC'", "'20240-01-01 00:00:00'", "'294276-12-31 23:59:59'"]
CLOCKS = ["'00:00:00'", "'23:59:59.999999'", "'12:34:56.7'"]
UUIDS = ["'00112233-4455-6677-8899-aabbccddeeff'", "'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'"]
WORDS = ["''", "' '", "'a'", "'true'", "'007'", "'1e5'", "'NaN'", "'null'", "'NULL'", "'\\N'", "'\\x00ff'",
         "'{\"a\": 1}'", "'[1,2]'", "'{1,2}'", "'2024-02-29'", "'13:14:15'",
         "'2024-02-29T13:14:15Z'", "'00112233-4455-6677-8899-aabbccddeeff'", "'sad'", "'é'", SHEEP, "'a,b\"c'",
         "'x; y'", "'=1+1'", "'10.0.0.1'", "'99999999999999999999'", "'-0'", "'1.50'",
         "'P1D'", "'a text of more than ten letters'"]
UNTYPED = ["1", "-1", "1.5", "'a'", "''", "x'00ff'", "x''", "CAST(x'c328' AS TEXT)", "9223372036854775807", "9e999",
           "-9e999", "'1'", "'2024-02-29'", "NULL", "0", "-0.0", "5e-324", "'true'",
           "CAST(x'610062' AS TEXT)", "zeroblob(70000)", "hex(zeroblob(35000))", "'{\"a\": 1}'"]
EMPTY = ["NULL"]

SQLITE = {
    "whole": ("INTEGER", ["0", "1", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808", "'abc'",
                          "1.5", "x'00'", "''", "' 5 '", "'99999999999999999999'", "1e300"], "number"),
    "tiny": ("TINYINT", ["0", "127", "-128", "128", "70000"], "number"),
    "unsigned": ("BIGINT UNSIGNED", ["0", "18446744073709551615", "-1", "9223372036854775807"], "number"),
    "double": ("REAL", ["0.1", "-0.0", "9e999", "-9e999", "1.7976931348623157e308", "5e-324", "'abc'", "x''",
                        "16777217", "1e15", "123456789012345680"], "number"),
    "single": ("FLOAT", ["0.1", "3.4e38", "9e999"], "number"),
    "fixed": ("NUMERIC(10,2)", ["1.25", "12.345", "123456789012.5", "'abc'", "9e999", "0.10", "-0.005", "99999999.99",
                                "x'01'"], "number"),
    "decimal": ("DECIMAL(38,10)", ["0.1", "'123456789012345678901234567890.5'", "'NaN'", "1e37", "1e-30",
                                   "9223372036854775807"], "number"),
    "letters": ("TEXT", [*WORDS, "CAST(x'610062' AS TEXT)", "CAST(x'c328' AS TEXT)", "CAST(x'eda080' AS TEXT)",
                         "CAST(x'f4908080' AS TEXT)", "5", "x'00ff'", "char(65535)", "char(13,10)",
                         "hex(zeroblob(35000))", "'x' || char(9)"], "text"),
    "short": ("VARCHAR(5)", ["'abc'", "'abcdefgh'", "'abcde '", SHEEP, "x'ff'"], "text"),
    "bytes": ("BLOB", ["x''", "x'00ff'", "zeroblob(70000)", "'text'", "1", "1.5",
                       "x'00112233445566778899aabbccddeeff'"], "bytes"),
    "untyped": ("", UNTYPED, "any"),
    "mixed": ("NUMERIC", UNTYPED, "any"),
    "day": ("DATE", ["'2024-02-29'", "'0000-00-00'", "'soon'", "20240229", "19782", "2460369.5", "'-0044-03-15'",
                     "'12024-01-01'", "'2023-02-29'", "''"], "any"),
    "moment": ("DATETIME", [*MOMENTS, "'2024-02-29T13:14:15Z'", "'2024-02-29 13:14:15+02:00'",
                            "'2024-02-29 13:14:15.123456789'", "'infinity'", "1709212455", "1709212455123", "'soon'",
                            "NULL"], "any"),
    "clock": ("TIME", [*CLOCKS, "'24:00:00'", "'25:61:00'", "'-01:00:00'", "'12:00'", "'838:59:59'"], "any"),
    "truth": ("BOOLEAN", ["0", "1", "2", "'true'", "'t'", "NULL", "0.5", "x'01'"], "any"),
    "document": ("JSON", ["'{\"a\": [1, 2.50, null]}'", "'null'", "'[1,[2,[3]]]'", "'{bad'", "'{\"a\": 1e400}'",
                          "'\"a\\u0000b\"'", "'\"\\ud800\"'", "1", "'{\"a\":1,\"a\":2}'", "'{\"\":1,\"$x.y\":2}'",
                          "'%s1%s'" % ("[" * 90, "]" * 90), "'12345678901234567890123.5'", "''"], "json"),
    "identity": ("UUID", [*UUIDS, "'{00112233-4455-6677-8899-aabbccddeeff}'", "'x'",
                          "x'00112233445566778899aabbccddeeff'"], "any"),
    "long": ("TEXT", ["hex(zeroblob(35000))", "hex(zeroblob(300000))", "'a'"], "text"),
    "huge": ("BLOB", ["zeroblob(%d)" % HUGE, "x'01'"], "bytes"),
    "hugetext": ("TEXT", ["hex(zeroblob(%d))" % (HUGE // 2), "'a'"], "text"),
    "nothing": ("TEXT", ["NULL", "''"], "text"),
}
POSTGRES = {
    "small": ("smallint", ["0", "-32768", "32767"], "number"),
    "whole": ("bigint", ["0", "-1", "9223372036854775807", "-9223372036854775808", "70000", "300", "9007199254740993"],
              "number"),
    "double": ("float8", ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e300", "0.1", "5e-324"], "number"),
    "single": ("real", ["'NaN'", "'Infinity'", "0.1", "3.4e38", "16777216"], "single"),
    "number": ("numeric", ["'NaN'", "'Infinity'", "0.10", "1e60", "1e-40",
                           "12345678901234567890123456789012345678.12345", "1e130", "1e5000", "0", "100", "-0.005"],
               "number"),
    "fixed": ("numeric(12,4)", ["1.2345", "'NaN'", "0", "-99999999.9999"], "number"),
    "wide": ("numeric(38,0)", ["99999999999999999999999999999999999999", "18446744073709551616", "0"], "number"),
    "money": ("money", ["1.25", "-92233720368547758.08"], "other"),
    "letters": ("text", [*WORDS, "chr(65535)", "repeat('y', 70000)", "repeat('x', 300)", "E'\\r\\n'"], "text"),
    "short": ("varchar(5)", ["'abc'", "'abcde'", SHEEP], "text"),
    "padded": ("char(5)", ["'abc'", "''"], "padded"),
    "bytes": ("bytea", ["''", "'\\x00ff'", "decode(repeat('ab', 3000), 'hex')", "decode(repeat('00', 70000), 'hex')",
                        "'\\x00112233445566778899aabbccddeeff'"], "bytes"),
    "huge": ("text", ["repeat('x', %d)" % HUGE, "'a'"], "text"),
    "hugebytes": ("bytea", ["decode(repeat('00', %d), 'hex')" % HUGE, "'\\x01'"], "bytes"),
    "day": ("date", ["'2024-02-29'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20240-01-01'", "'0001-01-01'",
                     "'5874897-12-31'", "NULL"], "time"),
    "moment": ("timestamp", MOMENTS + BEYOND, "time"),
    "instant": ("timestamptz", [*MOMENTS, *BEYOND, "'2024-02-29 13:14:15+14:00'", "NULL"], "time"),
    "clock": ("time", [*CLOCKS, "'24:00:00'"], "time"),
    "zoned": ("timetz", ["'12:00:00+02'", "'24:00:00-15:59'", "'00:00:00Z'"], "time"),
    "length": ("interval", ["'1 year 2 mons 3 days 04:05:06.000007'", "'-1 mons +2 days -00:00:00.5'", "'0'",
                            "'178000000 years'", "'26 hours'", "'-1 day'"], "length"),
    "identity": ("uuid", UUIDS, "uuid"),
    "document": ("json", ["'{\"a\": [1, 2.50, null]}'", "'[]'", "'\"text\"'", "'1e400'", "'{\"a\": 1, \"a\": 2}'",
                          "'\"a\\u0000b\"'", "'{\"\": {\"$x.y\": 1}}'", "'null'", "'true'",
                          "'12345678901234567890123.5'", "'{\"$numberLong\":\"1\"}'",
                          "(repeat('[', 90) || repeat(']', 90))::json"], "json"),
    "binary": ("jsonb", ["'{\"a\": [1, 2.50, null]}'", "'null'", "'1e400'", "'[[1,[2]],{}]'", "'\"2024-02-29\"'"],
               "json"),
    "texts": ("text[]", ["'{a,b}'", "'{{a,b},{c,d}}'", "'{a,NULL}'", "'{}'", "NULL", "'{\"\",\"a\\\"b\"}'",
                         "'[0:1]={a,b}'"], "array"),
    "numbers": ("int[]", ["'{1,2}'", "'{{1,2},{3,4}}'", "'{1,NULL,3}'", "'[2:3]={1,2}'", "'{}'"], "array"),
    "doubles": ("float8[]", ["'{1.5,NaN}'", "'{Infinity}'", "'{0.1}'"], "array"),
    "manybytes": ("bytea[]", ["array['\\x00ff'::bytea]", "'{}'"], "bytesarray"),
    "moments": ("timestamptz[]", ["'{2024-02-29 13:14:15Z}'", "'{infinity}'"], "other"),
    "label": ("mood", ["'sad'", "'so ''so'''"], "text"),
    "bits": ("bit(8)", ["B'10101010'", "B'00000000'"], "bits"),
    "varbits": ("varbit", ["B'1'", "B''", "B'000000000000000000000000000000000000000000000000000000000000000000001'"],
                "bits"),
    "range": ("int4range", ["'[1,5)'", "'empty'"], "other"),
    "address": ("inet", ["'10.0.0.1'", "'::1'", "'10.0.0.0/8'"], "other"),
    "hardware": ("macaddr", ["'08:00:2b:01:02:03'"], "other"),
    "place": ("point", ["'(1.5,2)'", "'(NaN,Infinity)'"], "other"),
    "markup": ("xml", ["'<a>b</a>'", "''"], "other"),
    "words": ("tsvector", ["'a:1 b:2A'"], "other"),
    "truth": ("boolean", ["true", "false", "NULL"], "bool"),
    "limited": ("positive", ["1", "2000000"], "number"),
    "pair": ("couple", ["ROW(1, 'a')", "ROW(NULL, 'b,\"c')"], "other"),
}
MYSQL = {
    "tiny": ("tinyint(1)", ["0", "1", "2", "-128", "127"], "number"),
    "whole": ("bigint", ["0", "-9223372036854775808", "9223372036854775807"], "number"),
    "unsigned": ("bigint unsigned", ["0", "18446744073709551615", "9223372036854775808"], "number"),
    "zerofill": ("int(6) unsigned zerofill", ["5", "4294967295"], "number"),
    "fixed": ("decimal(40,10)", ["0.1", "123456789012345678901234567890.0123456789", "-0.0000000001"], "number"),
    "most": ("decimal(65,30)", ["99999999999999999999999999999999999.999999999999999999999999999999", "1"], "number"),
    "double": ("double", ["0.1", "1e300", "-0.0", "5e-324"], "number"),
    "single": ("float", ["0.1", "3.4e38", "16777216"], "single"),
    "day": ("date", ["'2024-02-29'", "'0000-00-00'", "'2024-00-00'", "'2024-02-31'", "'0001-01-01'", "'9999-12-31'",
                     "NULL"], "time"),
    "moment": ("datetime(6)", [*MOMENTS, "'0000-00-00 00:00:00'", "NULL"], "time"),
    "instant": ("timestamp(6) NULL", ["'2024-01-01 10:00:00.123456'", "'1970-01-01 00:00:01'", "'0000-00-00 00:00:00'",
                                      "NULL"], "time"),
    "clock": ("time(6)", ["'00:00:00'", "'838:59:59'", "'-838:59:59'", "'12:00:00.123456'", "'-00:00:00.5'"], "time"),
    "year": ("year", ["'2024'", "0", "1901"], "number"),
    "bits": ("bit(64)", ["b'1010101010'", "b'0'", "18446744073709551615"], "number"),
    "letters": ("longtext", [*[word for word in WORDS if "\\" not in word], "concat('a', char(0), 'b')",
                             "repeat('x', 70000)"], "text"),
    "western": ("varchar(50) CHARACTER SET latin1", ["'é'", "''", "'a '"], "text"),
    "padded": ("char(5)", ["'abc'", "''"], "padded"),
    "short": ("varchar(5)", ["'abc'", "'ab  '", SHEEP], "text"),
    "bytes": ("longblob", ["''", "x'00ff'", "repeat('x', 3000)", "repeat(x'00', 70000)"], "bytes"),
    "filled": ("binary(5)", ["'ab'", "''"], "bytes"),
    "huge": ("longtext", ["repeat('x', %d)" % (HUGE // 2), "'a'"], "text"),
    "label": ("enum('sad','plain')", ["'sad'", "'no such'", "NULL"], "text"),
    "labels": ("set('sad','plain')", ["'sad,plain'", "''", "'sad'"], "text"),
    "document": ("json", ["'{\"a\": 1.5}'", "'[]'", "'null'", "'12345678901234567890123.5'", "'\"a\\\\u0000b\"'"],
                 "json"),
    "identity": ("uuid", ["'00112233-4455-6677-8899-aabbccddeeff'"], "uuid"),
    "address": ("inet6", ["'::1'", "'10.0.0.1'"], "other"),
    "place": ("point", ["POINT(1, 2.5)"], "bytes"),
}
# Values as JSON writes them; no declaration: the folder says nothing of the table.
TEXTS = ['""', '" "', '"a"', '"é"', '"\U0001F411"', '"a\\u0000b"', '"1"', '"true"', '"2024-02-29"', '"{}"']
JSONL = {
    "large": ({"type": "uint64"}, ["0", "18446744073709551615", "9223372036854775808"], "number"),
    "fixed": ({"type": "decimal", "precision": 40, "scale": 10}, ["1.1", "123456789012345678901234567890.0123456789"],
              "number"),
    "moment": ({"type": "timestamp"}, ['"2024-02-29T13:14:15"', '"2024-02-29T13:14:15.123456789"',
                                       '"+10000-01-01T00:00:00"', '"-0044-03-15T00:00:00"'], "time"),
    "instant": ({"type": "timestamp", "zoned": True}, ['"2024-02-29T13:14:15Z"', '"2024-02-29T13:14:15.1234567Z"',
                                                       '"1500-01-01T00:00:00Z"', '"2024-02-29T13:14:15+05:30"'],
                "time"),
    "day": ({"type": "date"}, ['"2024-02-29"', '"+12024-01-01"', '"0000-01-01"'], "time"),
    "clock": ({"type": "time"}, ['"13:14:15"', '"23:59:59.9999999"'], "time"),
    "length": ({"type": "interval"}, ['"PT2H"', '"-PT1H"', '"P1Y2M3DT4H5M6.000007S"', '"P1M"', '"PT0.000000001S"'],
               "length"),
    "letters": ({"type": "text"}, [*TEXTS, '"%s"' % ("x" * 1200), '"%s"' % ("x" * 70000)], "text"),
    "bytes": ({"type": "bytes"}, ['""', '"AP8="', '"%s"' % ("AAAA" * 20000)], "bytes64"),
    "document": ({"type": "json"}, ['{"a":[1,[2,3]],"b":null}', "[]", '"x"', '{"":1}', '{"a.b":1,"$c":2}', "1e400",
                                    '{"a":1,"a":2}', "null"], "json"),
    "double": ({"type": "float64"}, ["0.1", "1e300", "-0.0"], "number"),
    "identity": ({"type": "uuid"}, ['"00112233-4455-6677-8899-aabbccddeeff"'], "uuid"),
    "truth": ({"type": "bool"}, ["true", "false", "null"], "bool"),
    "free": (None, ["1", "1.5", '"a"', "true", "null", "[1,[2]]", '{"a":{"b":[]}}', "12345678901234567890", "1e400",
                    "-0", '"\\ud83d\\udc11"', "0.1000000000000000055511151231257827",
                    '{"":{"a":null}}', "123456789012345678901234567890.5", '"a\\u0000b"', '{"$numberLong":"1"}'],
             "json"),
    "freetexts": (None, TEXTS, "text"),
    "freenumbers": (None, ["0", "1", "-1", "1.5", "9007199254740993", "18446744073709551616", "1e-7", "-0.0",
                           "123456789012345678901234567890"], "number"),
    "freelists": (None, ["[1,2]", "[]", '["a",null]', "[[1],[2]]", '[{"a":1}]'], "json"),
    "freetruths": (None, ["true", "false", "null", '"true"'], "json"),
}
CSV = {
    "free": (None, ["1", "a", '"1"', '""', "", "1.5", "NaN", "true", "1e5", "\\x00ff", "2024-02-29", "007", "-", " x ",
                    '"a,b""c"', "99999999999999999999", "Infinity"], "csv"),
    "freenumbers": (None, ["1", "-5", "1.50", "9223372036854775807", "1e400", "-0"], "csv"),
    "letters": ({"type": "text"}, ["a", '""', "", "NULL", "\U0001F411", '"x\ny"', "1"], "csvtext"),
    "number": ({"type": "decimal", "precision": 40, "scale": 10},
               ["1.1", "123456789012345678901234567890.0123456789", "0"], "number"),
    "double": ({"type": "float64"}, ["0.1", "NaN", "Infinity", "-Infinity", "-0.0", "5e-324"], "number"),
    "bytes": ({"type": "bytes"}, ["\\x00ff", "\\x", "\\x%s" % ("ab" * 3000)], "bytes"),
    "moment": ({"type": "timestamp"}, ["2024-02-29T13:14:15", "2024-02-29 13:14:15.123456789", "+10000-01-01T00:00:00"],
               "time"),
    "truth": ({"type": "bool"}, ["true", "false", ""], "bool"),
    "document": ({"type": "json"}, ['"{""a"":[1,2]}"', "null", "[]"], "json"),
}
KINDS = {"sqlite": SQLITE, "postgres": POSTGRES, "mysql": MYSQL, "jsonl": JSONL, "csv": CSV}
# Kinds whose values make no key: long ones, and those whose types have no order.
NO_KEYS = {"long", "huge", "hugetext", "hugebytes", "document", "place", "markup", "free", "freelists", "nothing",
           "words", "money", "pair"}


# --- what values mean

CONTEXT = decimal.Context(prec=9000, Emin=-99999, Emax=99999)
SPECIAL = {"nan": "nan", "infinity": "inf", "inf": "inf", "+infinity": "inf", "-infinity": "-inf", "-inf": "-inf"}
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
MOMENT = re.compile(r"([-+]?\d{4,7})-(\d\d)-(\d\d)(?:[T "
                    r"](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?\s?(Z|[-+]\d\d(?::?\d\d)?(?::?\d\d)?)?( BC)?", re.ASCII)
CLOCK = re.compile(r"(-?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[-+]\d\d(?::?\d\d)?)?", re.ASCII)


def number(text):
    text = str(text).strip()
    if text.lower() in SPECIAL:
        return SPECIAL[text.lower()]
    if not NUMBER.fullmatch(text):
        return None
    value = CONTEXT.create_decimal(text)
    return CONTEXT.normalize(value) if value else decimal.Decimal(0)


def offset_s(zone):
    if zone in (None, "Z"):
        return 0
    parts = re.findall(r"\d\d", zone)
    seconds = sum(int(part) * unit for part, unit in zip(parts, (3600, 60, 1)))
    return -seconds if zone[0] == "-" else seconds


def nanoseconds(fraction):
    return int((fraction or "0").ljust(9, "0")[:9])


def moment(text):
    found = MOMENT.fullmatch(text.replace(" (BC)", "") + " BC" if " (BC)" in text else text)   # as DuckDB writes it
    if not found:
        return None
    year, month, day, hours, minutes, seconds, fraction, zone, before = found.groups()
    year = 1 - int(year) if before else int(year)
    if int(month) == 0 or int(day) == 0:
        return None
    days = day_number(year, int(month), int(day))
    clock = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) - offset_s(zone)
    return (days * 86400 + clock) * 10 ** 9 + nanoseconds(fraction)


def clock(text):
    """(nanoseconds, offset)"""
    found = CLOCK.fullmatch(text)
    if not found:
        return None
    sign, hours, minutes, seconds, fraction, zone = found.groups()
    value = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * 10 ** 9 + nanoseconds(fraction)
    return -value if sign else value, zone and offset_s(zone)


def json_form(value):
    if isinstance(value, dict):
        return "{", tuple(sorted((name, json_form(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return "[", tuple(map(json_form, value))
    if value is None or isinstance(value, bool):
        return "word", value
    if isinstance(value, str):
        return "text", value
    return "number", str(number(value))


def loose_form(value):
    """The same where all that is in it is text."""
    if isinstance(value, dict):
        return "{", tuple(sorted((name, loose_form(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return "[", tuple(map(loose_form, value))
    text = {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value,
        bool) else str(value)
    if number(text) is not None or moment(text) is not None:
        return str(number(text) if moment(text) is None else moment(text))
    return text[2:] if re.fullmatch(r"\\x([0-9a-f]{2})*", text) else {"t": "true", "f": "false"}.get(text, text)


def parse_json(text):
    try:
        return True, json.loads(text, parse_int=decimal.Decimal, parse_float=CONTEXT.create_decimal, parse_constant=str)
    except (ValueError, RecursionError, decimal.InvalidOperation):
        return False, None


def json_forms(value):
    return {("json", json_form(value)), ("loose", loose_form(value))}


def narrow(value):
    try:
        return struct.unpack("f", struct.pack("f", float(value)))[0]
    except OverflowError:
        return float(value)


def number_forms(text):
    found = number(text)
    if found is None:
        return set()
    forms = {("number", found), ("json", ("number", str(found))), ("loose", str(found))}
    if not isinstance(found, str) and abs(found.adjusted()) < 400:
        near = float(found)
        if number(repr(near)) == found or CONTEXT.create_decimal(near) == found:
            forms.add(("double", near))
    return forms


def text_forms(text):
    """All that a text says of something that is no text."""
    forms = number_forms(text)
    if moment(text) is not None:
        forms.add(("moment", moment(text)))
    if clock(text) is not None:
        value, zone = clock(text)
        forms.add(("clock", value, zone))
        if zone is None:
            forms.add(("length", 0, 0, value))
    if lengths.length(text) != lengths.NOTHING:
        forms.add(("length", *lengths.length(text)))
    if text.lower() in ("t", "true", "f", "false", "1", "0"):
        forms.add(("truth", text.lower() in ("t", "true", "1")))
    if re.fullmatch(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?", text):
        forms.add(("uuid", re.sub("[-{}]", "", text.lower())))
    if re.fullmatch(r"\\x([0-9a-f]{2})*", text):
        forms.add(("bytes", text[2:]))
    if re.fullmatch(r"[01]*", text):
        forms.add(("bits", text))
    found, value = parse_json(text)
    if found:
        forms |= json_forms(value)
    array = re.sub(r"^(\[-?\d+:-?\d+\])+=", "", text)
    if array.startswith("{") and lengths.array(array) != lengths.NOTHING:
        forms.add(("loose", loose_form(without_tags(lengths.array(array)))))
    return forms


def without_tags(value):
    return [without_tags(one) for one in value[1:]] if isinstance(value, list) else value


LONG = 1_000_000   # bytes; longer texts are compared by their hash sum and nothing else


def forms(tag, value):
    """
    Of what a client read: (tag, value) with the tags number, bool, text, bytes (hexadecimal), json (Python's own), NULL
    is (null, None).
    """
    if tag == "null":
        return {("null",), *json_forms(None)}
    if tag in ("text", "bytes") and len(value) > LONG:
        return {("md5", hashlib.md5(bytes.fromhex(value) if tag == "bytes"
                                    else value.encode("utf-8", "surrogateescape")).hexdigest())}
    if tag == "md5":
        return {(tag, value)}
    if tag == "bool":
        return {("truth", value), ("number", decimal.Decimal(int(value))), ("text", str(value).lower()),
                *json_forms(value)}
    if tag == "number":
        truth = {("truth", number(value) == 1)} if number(value) in (0, 1) else set()
        return number_forms(value) | truth | {("text", str(value))}
    if tag == "bytes":
        found = {("bytes", value)}
        if len(value) == 32:
            found.add(("uuid", value))
        try:
            text = bytes.fromhex(value).decode()
        except UnicodeDecodeError:
            return found
        return found | {("text", text)} | text_forms(text)
    if tag == "json":
        return json_forms(value) | {("text", json.dumps(value, default=str))}
    padded = {("padded", value.rstrip(" "))}
    coded = re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value) and len(value) % 4 == 0
    return {("text", value), ("bytes", value.encode("utf-8", "surrogateescape").hex()), *json_forms(value), *padded,
            *text_forms(value)} | (
                {("bytes", base64.b64decode(value).hex())} if coded else set())


def meanings(of, tag, value):
    """
    Of a value of the source, (tag, value) as `forms` has them: all that may stand for it in a target. `of`: its kind's
    class.
    """
    if tag == "null":
        return {("null",)}
    found = forms(tag, value)
    if of == "other" and tag == "text":   # an address without its mask, which its own client does not show
        return found | forms(tag, re.sub("/(32|128)$", "", value))
    if tag == "text" and re.match("0000-00-00|\\d{4}-\\d\\d-00", value):   # MySQL's zero dates
        return found | {("text", value[:10]), ("null",)}   # NULL, where the target has none such
    if tag == "bytes" or of in ("bytes", "bytes64"):
        return found
    if of == "single":
        near = narrow(value)
        shortest = next(text for text in ("%.*g" % (digits, near) for digits in range(1, 10)) if narrow(text) == near
                        or near != near)
        return found | number_forms(repr(near)) | number_forms(shortest) | {("double", near), ("text", shortest)}
    if of == "length":   # microseconds, in a column of numbers
        return found | {("number", number(decimal.Decimal(one[2] * 86400 * 10 ** 9 + one[3]) / 1000)) for one in found
                        if one[0] == "length" and one[1] == 0}
    if of == "bytesarray" and tag == "text":
        return found | {("loose", loose_form([base64.b64encode(bytes.fromhex(one[2:])).decode()
                                              for one in without_tags(lengths.array(value))]))}
    if of == "bits":
        return found | ({("number", decimal.Decimal(int(value, 2)))} if value
                        else {("number", decimal.Decimal(0))}) | {("bits", value)}
    if of in ("text", "csvtext") or of in ("any", "other", "csv") and tag == "text":
        return found
    if of == "padded":
        return {("padded", value.rstrip(" ")), *((form, rest) for form, rest in [one for one in found if len(one) == 2]
                                                 if form != "padded")}
    return found


def same(of, source, found):
    return not meanings(of, *source).isdisjoint(forms(*found))
