"""What botocore makes of the same input as the probe; run by the Python that has botocore.

    net_botocore.py sign|config|credentials  < request.json
"""
import datetime
import json
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


def main():
    given = json.load(sys.stdin)
    json.dump({"sign": sign}[sys.argv[1]](given), sys.stdout)


if __name__ == "__main__":
    main()
