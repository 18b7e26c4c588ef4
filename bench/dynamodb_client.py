#!/usr/bin/env python3
"""The clients that bench/dynamodb.py compares with; run by the Python that has boto3. Figures go to stdout, as JSON.

    dynamodb_client.py ENDPOINT batch_writer FILE ROWS      the table t of an SQLite file by boto3's batch writer
    dynamodb_client.py ENDPOINT raw FILE ROWS CONNECTIONS   the same by requests made and signed beforehand
    dynamodb_client.py ENDPOINT count TABLE                 how many items are in a table
"""
import base64
import decimal
import http.client
import json
import os
import resource
import sqlite3
import sys
import threading
import time
import urllib.parse

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

ITEMS_A_REQUEST = 25


def session(endpoint):
    return boto3.session.Session().resource(
        "dynamodb", endpoint_url=endpoint, region_name="us-east-1",
        config=Config(parameter_validation=False, tcp_keepalive=True, max_pool_connections=2))


def make_table(resource_, name):
    table = resource_.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
    table.wait_until_exists()
    return table


def rows_of(path):
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    for row in db.execute("SELECT * FROM t"):
        yield {name: decimal.Decimal(repr(value)) if isinstance(value, float) else value
               for name, value in zip(row.keys(), row) if value is not None}


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def batch_writer(endpoint, path, _rows):
    table = make_table(session(endpoint), "boto3-%d" % os.getpid())
    begun, used = time.monotonic(), cpu_s()
    with table.batch_writer() as writer:
        for item in rows_of(path):
            writer.put_item(Item=item)
    result = {"wall_s": time.monotonic() - begun, "cpu_s": cpu_s() - used}
    table.delete()
    return result


def signed_requests(endpoint, path, name):
    keys = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    encode = TypeSerializer().serialize
    puts = []
    for item in rows_of(path):
        typed = {field: encode(value) for field, value in item.items()}
        for attribute in typed.values():
            if "B" in attribute:
                import base64
                attribute["B"] = base64.b64encode(attribute["B"].value if hasattr(attribute["B"], "value")
                                                  else attribute["B"]).decode()
        puts.append({"PutRequest": {"Item": typed}})
    for at in range(0, len(puts), ITEMS_A_REQUEST):
        body = json.dumps({"RequestItems": {name: puts[at:at + ITEMS_A_REQUEST]}}).encode()
        request = AWSRequest("POST", endpoint + "/", data=body, headers={
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"})
        SigV4Auth(keys, "dynamodb", "us-east-1").add_auth(request)
        yield body, dict(request.headers)


def raw(endpoint, path, _rows, connections):
    name = "raw-%d" % os.getpid()
    table = make_table(session(endpoint), name)
    requests = list(signed_requests(endpoint, path, name))
    address = urllib.parse.urlparse(endpoint)
    faults = []

    def send(share):
        connection = http.client.HTTPConnection(address.hostname, address.port)
        for body, headers in share:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                faults.append(answer.status)
    count = int(connections)
    begun, used = time.monotonic(), cpu_s()
    threads = [threading.Thread(target=send, args=(requests[at::count],)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = {"wall_s": time.monotonic() - begun, "cpu_s": cpu_s() - used}
    if faults:
        raise SystemExit("answers: %s" % faults[:3])
    table.delete()
    return result


def count(endpoint, name):
    pages = session(endpoint).meta.client.get_paginator("scan").paginate(TableName=name, Select="COUNT")
    return {"items": sum(page["Count"] for page in pages)}


def main():
    endpoint, what, *words = sys.argv[1:]
    print(json.dumps({"batch_writer": batch_writer, "raw": raw, "count": count}[what](endpoint, *words)))


if __name__ == "__main__":
    main()
