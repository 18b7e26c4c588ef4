"""Records in one form, whatever database they are of: {column: (tag, value)} with the tags n number, s text, b bytes, t
truth, and
for documents L list, M map, SS NS BS sets.

A null and a field that is missing are not there. Numbers are exact decimals, or the words of what is none.
"""
import base64
import collections
import decimal
import json
import os
import re

import items
import support
CONTEXT = decimal.Context(prec=700, Emin=-5000, Emax=5000)
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
WORDS = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
NESTED = ("L", "M", "SS", "NS", "BS")


def number(text):
    value = CONTEXT.create_decimal(text)
    if not value.is_finite():
        return ("n", str(value).lower().replace("infinity", "inf"))
    return ("n", CONTEXT.normalize(value) if value else decimal.Decimal(0))


def whole_number(value):
    return value == value.to_integral_value() and -2 ** 63 <= value < 2 ** 63


class Table:
    """A table of the source, as it is wanted."""

    def __init__(self, name, columns, key, letters, records):
        self.name, self.columns, self.key, self.letters, self.records = name, columns, key, letters, records


def fit_for_keys(table):
    """Leaves out records without a whole key of the letters that it was declared by, and the second ones of a key."""
    tags, seen, kept = {"N": "n", "S": "s", "B": "b"}, set(), []
    for record in table.records if table.key else ():
        key = [record.get(column) for column in table.key]
        fits = all(value and value[0] == tags[table.letters[column]] and value[1] not in ("", b"", "nan", "inf", "-inf")
                   for column, value in zip(table.key, key))
        if fits and repr(key) not in seen:
            seen.add(repr(key))
            kept.append(record)
    table.records = kept if table.key else table.records


def one_tag_a_column(table):
    """For ways in which a plan gives each column one type: other values are left out. {column: tag}"""
    tags = {}
    for column in table.columns:
        counts = collections.Counter(record[column][0] for record in table.records if column in record)
        tags[column] = counts.most_common(1)[0][0] if counts else "s"
        if column in table.key:
            tags[column] = {"N": "n", "S": "s", "B": "b"}[table.letters[column]]
        for record in table.records:
            if column in record and record[column][0] != tags[column]:
                del record[column]
    return tags


def number_text(value):
    if isinstance(value, str):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[value]
    return format(value, "f") if abs(value.adjusted()) < 40 else str(value)


def primary_key(table, quoted=support.quoted):
    return ", PRIMARY KEY (%s)" % ", ".join(map(quoted, table.key)) if table.key else ""


def definition(table, tags):
    kinds = {"N": "decimal", "S": "text", "B": "bytes"}
    return {"format": 1, "tags": tags, "key": table.key, "columns": [
        {"name": column, "type": kinds[table.letters[column]] if column in table.key else "text", "dynamic": True}
        for column in table.columns]}


def write_definition(folder, table, content):
    os.makedirs(os.path.join(folder, "_transhume", "tables"), exist_ok=True)
    with open(os.path.join(folder, "_transhume", "tables", table.name + ".json"), "w", encoding="utf-8") as file:
        json.dump(content, file)


def folders(path):
    return sorted(name for name in os.listdir(path) if name != "_transhume" and os.path.isdir(os.path.join(path, name)))


def texts(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
            yield file.read()


def item_of(record):
    """As boto3 takes it."""
    found = {}
    for name, (tag, value) in record.items():
        if tag == "n":
            found[name] = {"N": number_text(value)}
        elif tag in "bst":
            found[name] = {{"b": "B", "s": "S", "t": "BOOL"}[tag]: value}
        else:
            found[name] = {tag: value}
    return found


def record_of(item):
    found = {}
    for name, typed in item.items():
        (letter, value), = typed.items()
        if letter == "N":
            found[name] = number(value)
        elif letter == "B":
            found[name] = ("b", bytes(value) if not isinstance(value, str) else base64.b64decode(value))
        elif letter != "NULL":
            found[name] = ({"S": "s", "BOOL": "t"}.get(letter, letter), value)
    return found


def canonical(record, truths):
    """`truths`: whether a truth is told from 0 and 1 on the way."""
    parts = []
    for name, (tag, value) in sorted(record.items()):
        if tag == "t" and not truths:
            tag, value = "n", decimal.Decimal(int(value))
        if tag in NESTED:
            value = json.dumps(items.attribute({tag: value}), sort_keys=True)
        parts.append((name, tag, str(value) if tag == "n" else value))
    return repr(parts)
