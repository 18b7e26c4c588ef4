"""What botocore makes of the same input as the probe; run by the Python that has botocore.

Reads JSON lines {command, given, environment}, each answered by one, with AWS_* and proxies of its environment only,
until its input ends. `command` is sign, config or credentials.
"""
import datetime
import json
import os
import sys


def sign_one(request):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    credentials = botocore.credentials.Credentials(
        request["access_key_id"], request["secret_access_key"], request.get("session_token"))
    url = "https://%s%s" % (request["host"], request.get("path", "/"))
    if request.get("query"):
        url += "?" + request["query"]
    moment = datetime.datetime.fromtimestamp(request["time_ms"] / 1000, datetime.timezone.utc)

    def fixed_now(remove_tzinfo=True):
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    botocore.auth.get_current_datetime = fixed_now
    aws_request = botocore.awsrequest.AWSRequest(
        method=request["method"], url=url, data=request.get("payload", "").encode())
    for name, value in request.get("headers", []):
        aws_request.headers.add_header(name, value)
    kind = botocore.auth.S3SigV4Auth if request.get("keep_path") else botocore.auth.SigV4Auth
    kind(credentials, request["service"], request["region"]).add_auth(aws_request)
    return {name: value for name, value in aws_request.headers.items()
            if name.lower().startswith(("x-amz-", "authorization"))}


def sign(given):
    return {"signed": [sign_one(request) for request in given["requests"]]}


def config(given):
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session(profile=given.get("profile"))
    loader = LOADERS.setdefault("one", session.get_component("data_loader"))  # it keeps what it has read
    session.register_component("data_loader", loader)
    try:
        result = {"region": session.get_config_variable("region"), "endpoints": {}, "values": []}
        for service in given.get("services", []):
            client = session.create_client(
                service, region_name=given.get("region") or result["region"] or "us-east-1",
                aws_access_key_id="a", aws_secret_access_key="b")
            # What a request goes to: meta.endpoint_url is from an older table.
            operation = "ListTables" if service == "dynamodb" else "GetCallerIdentity"
            result["endpoints"][service] = client._ruleset_resolver.construct_endpoint(
                client.meta.service_model.operation_model(operation), {}, {}).url
        profiles = session.full_config["profiles"]
        for profile, name in given.get("values", []):
            value = profiles.get(profile)
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            result["values"].append(value if isinstance(value, str) else None)
        return result
    except (botocore.exceptions.BotoCoreError, ValueError) as fault:
        return {"error": type(fault).__name__}


def credentials(given):
    import botocore.credentials
    import botocore.session
    import botocore.tokens
    import botocore.utils

    if given.get("container_address"):
        botocore.utils.ContainerMetadataFetcher.IP_ADDRESS = given["container_address"]
    cache = os.path.join(os.environ.get("AWS_TEST_HOME", "/nowhere"), ".aws", "sso", "cache")
    botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = cache
    botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = cache
    session = botocore.session.Session(profile=given.get("profile"))
    try:
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except Exception as fault:  # pylint: disable=broad-except
        return {"error": type(fault).__name__}
    if not frozen or not frozen.access_key or not frozen.secret_key:
        return {"error": "none"}
    expiry = getattr(found, "_expiry_time", None)
    return {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key,
            "session_token": frozen.token, "method": found.method,
            "expires_ms": int(expiry.timestamp() * 1000) if expiry else None}


LOADERS = {}
COMMANDS = {"sign": sign, "config": config, "credentials": credentials}


def answer(one):
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(one["environment"])
    return COMMANDS[one["command"]](one["given"])


def main():
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
