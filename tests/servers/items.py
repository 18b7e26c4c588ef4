"""Tables and items for tests against DynamoDB: made, read back and compared through boto3, never through our code."""
import base64
import decimal
import json
import random
import time

import servers

CONTEXT = decimal.Context(prec=60, Emin=-400, Emax=400)
DIFFERENCES_SHOWN_MAX = 12


# --- comparing: an attribute as boto3 has it ({"N": "1"}, {"B": b".."}) or as DynamoDB JSON has it ({"B": "AA=="})

def number(text):
    """Equal numbers become equal texts, whatever form an emulator gives them."""
    value = CONTEXT.create_decimal(text).normalize(CONTEXT)
    return "0" if value == 0 else str(value)


def attribute(typed):
    (letter, value), = typed.items()
    if letter == "N":
        return {"N": number(value)}
    if letter == "B":
        return {"B": value if isinstance(value, str) else base64.b64encode(value).decode()}
    if letter in ("SS", "NS", "BS"):
        return {letter: sorted(attribute({letter[0]: element})[letter[0]] for element in value)}
    if letter == "L":
        return {"L": [attribute(element) for element in value]}
    if letter == "M":
        return {"M": {name: attribute(element) for name, element in value.items()}}
    return {letter: value}


def canonical(item):
    return json.dumps({name: attribute(typed) for name, typed in item.items()}, sort_keys=True)


def differences(expected, found):
    """What is missing or too much, item by item; the order does not count, how often does."""
    wanted, present = {}, {}
    for items, counts in ((expected, wanted), (found, present)):
        for item in items:
            text = canonical(item)
            counts[text] = counts.get(text, 0) + 1
    result = []
    for text in sorted(wanted.keys() | present.keys()):
        if wanted.get(text, 0) != present.get(text, 0):
            result.append("%d wanted, %d found: %.600s" % (wanted.get(text, 0), present.get(text, 0), text))
    return result[:DIFFERENCES_SHOWN_MAX]


def assert_same(test, expected, found):
    expected, found = list(expected), list(found)
    test.assertEqual(differences(expected, found), [],
                     "%d items wanted, %d found" % (len(expected), len(found)))


# --- tables

def create(client, name, key=(("id", "S"),), indexes=(), read=None, write=None, local=()):
    """`key` and each index's key are ((attribute, letter), ...); `indexes` are (name, key), global ones and local."""
    letters = dict(key)
    for _, index_key in [*indexes, *local]:
        letters.update(index_key)

    def schema(columns):
        return [{"AttributeName": column, "KeyType": kind}
                for (column, _), kind in zip(columns, ("HASH", "RANGE"))]
    arguments = {"TableName": name, "KeySchema": schema(key),
                 "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in letters.items()]}
    if read:
        arguments["ProvisionedThroughput"] = {"ReadCapacityUnits": read, "WriteCapacityUnits": write or read}
    else:
        arguments["BillingMode"] = "PAY_PER_REQUEST"
    if indexes:
        arguments["GlobalSecondaryIndexes"] = [
            dict({"IndexName": n, "KeySchema": schema(k), "Projection": {"ProjectionType": "ALL"}},
                 **({"ProvisionedThroughput": arguments["ProvisionedThroughput"]} if read else {}))
            for n, k in indexes]
    if local:
        arguments["LocalSecondaryIndexes"] = [
            {"IndexName": n, "KeySchema": schema(k), "Projection": {"ProjectionType": "ALL"}} for n, k in local]
    client.create_table(**arguments)
    wait_active(client, name)


def wait_active(client, name, seconds=120):
    deadline = time.monotonic() + seconds
    while client.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise AssertionError("table %s did not become ACTIVE" % name)
        time.sleep(0.02)


def wait_gone(client, name, seconds=120):
    deadline = time.monotonic() + seconds
    while name in client.list_tables()["TableNames"]:
        if time.monotonic() > deadline:
            raise AssertionError("table %s does not go away" % name)
        time.sleep(0.02)


def put(client, table, items):
    items = list(items)
    for at in range(0, len(items), 25):
        left = {table: [{"PutRequest": {"Item": item}} for item in items[at:at + 25]]}
        while left:
            left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]


def scan(client, table):
    found, start = [], {}
    while True:
        page = client.scan(TableName=table, ConsistentRead=True, **start)
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def tables(client):
    """The user's tables, by name."""
    names = []
    for page in client.get_paginator("list_tables").paginate():
        names += page["TableNames"]
    return sorted(name for name in names if not name.startswith("_transhume"))


def everything(client):
    return {name: scan(client, name) for name in tables(client)}


def wait_until_settled(client, seconds=20):
    """Until no table is being made, changed or deleted."""
    deadline = time.monotonic() + seconds
    while True:
        states = {}
        for name in client.list_tables()["TableNames"]:
            try:
                states[name] = client.describe_table(TableName=name)["Table"]["TableStatus"]
            except client.exceptions.ResourceNotFoundException:
                pass
        if all(state == "ACTIVE" for state in states.values()):
            return
        if time.monotonic() > deadline:
            raise AssertionError("tables are still on their way: %s" % states)
        time.sleep(0.02)


def empty(client, seconds=120):
    """Deletes all tables, the program's own ledger too."""
    deadline = time.monotonic() + seconds
    while True:
        names = client.list_tables()["TableNames"]
        if not names:
            return
        for name in names:
            try:
                client.delete_table(TableName=name)
            except (client.exceptions.ResourceInUseException, client.exceptions.ResourceNotFoundException):
                pass
        if time.monotonic() > deadline:
            raise AssertionError("tables do not go away: %s" % names)
        time.sleep(0.02)


# --- items

NUMBERS = ["0", "1", "-1", "0.1", "1.5", "-2.75", "100", "12300", "9223372036854775807", "-9223372036854775808",
           "9223372036854775808", "18446744073709551615", "12345678901234567890123456789012345678",
           "-0.00000000000000000000000000000000000012345678901234567890123456789012345678",
           "1E-130", "9.9999999999999999999999999999999999999E+125", "-9.9999999999999999999999999999999999999E+125",
           "1E+30", "123456789.123456789", "0.30000000000000004"]
TEXTS = ["a", "Flo\u00efne", "\U0001f411 bleats", "two\nlines\tand \"quotes\" \\ and \x00 NUL \x1f", "'",
         "{\"S\":\"no\"}",
         "\u2028\ufeff\ufffd", "x" * 5000, "0", "null", " "]
BYTES = [b"\0", b"\xff\xfe", bytes(range(256)), b"a"]
NAMES = ["plain", "with space", "dots.and[brackets]", "quote\"back\\slash", "new\nline", "Flo\u00efne", "\U0001f411",
         "select", "_transhume", "$system", "N", "S", "x" * 200]


def every_type(key="id"):
    """Items that together hold every type with every edge value, nested too."""
    values = [{"N": n} for n in NUMBERS] + [{"S": t} for t in TEXTS + [""]] + [{"B": b} for b in BYTES + [b""]]
    values += [{"BOOL": True}, {"BOOL": False}, {"NULL": True}]
    values += [{"SS": TEXTS}, {"SS": ["one"]}, {"NS": NUMBERS}, {"NS": ["-0.5"]}, {"BS": BYTES}, {"BS": [b"\0\0"]}]
    values += [{"L": []}, {"M": {}}, {"L": values[:]}, {"M": {"key %d" % i: v for i, v in enumerate(values)}}]
    values += [{"M": {name: {"S": name} for name in NAMES}},
               {"L": [{"L": [{"L": []}, {"M": {}}]}, {"M": {"deep": {"M": {"deeper": {"NULL": True}}}}}]}]
    deep = {"N": "1"}
    for _ in range(30):
        deep = {"L": [deep]}
    values.append(deep)
    items = [{key: {"S": "value %03d" % at}, "value": value} for at, value in enumerate(values)]
    items.append(dict({key: {"S": "names"}}, **{name: {"S": "under " + name[:20]} for name in NAMES}))
    items.append({key: {"S": "nothing but the key"}})
    return items


def random_value(chooser, depth=3):
    kinds = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"] + (["L", "M"] if depth else [])
    letter = chooser.choice(kinds)
    if letter == "S":
        return {"S": "".join(chooser.choice("ab\"\\\n\0\u00e9\U0001f411 ") for _ in range(chooser.randrange(30)))}
    if letter == "N":
        return {"N": random_number(chooser)}
    if letter == "B":
        return {"B": chooser.randbytes(chooser.randrange(40))}
    if letter in ("BOOL", "NULL"):
        return {letter: letter == "NULL" or chooser.random() < 0.5}
    count = chooser.randrange(1, 5)
    if letter == "SS":
        return {"SS": ["%d %s" % (at, chooser.random()) for at in range(count)]}
    if letter == "NS":
        return {"NS": sorted({number(random_number(chooser)) for _ in range(count)})}
    if letter == "BS":
        return {"BS": [bytes([at]) + chooser.randbytes(chooser.randrange(9)) for at in range(count)]}
    if letter == "L":
        return {"L": [random_value(chooser, depth - 1) for _ in range(count - 1)]}
    return {"M": {"%s%d" % (chooser.choice(NAMES)[:20], at): random_value(chooser, depth - 1)
                  for at in range(count - 1)}}


def random_number(chooser):
    digits = "%d" % chooser.randrange(1, 10 ** chooser.randrange(1, 39))
    text = "%s%sE%d" % (chooser.choice(["", "-"]), digits, chooser.randrange(-100, 80))
    return number(text)


def random_items(count, seed, prefix="item"):
    """Items of different shapes under text keys that do not sort as they were made."""
    chooser = random.Random(seed)
    items = []
    for at in range(count):
        item = {"attribute %d" % n: random_value(chooser) for n in range(chooser.randrange(6))}
        item["id"] = {"S": "%s %d-%d" % (prefix, chooser.randrange(1000), at)}
        items.append(item)
    return items


def client_of(server, **changes):
    return servers.dynamodb_client(server.endpoint, **changes)
