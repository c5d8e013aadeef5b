#!/usr/bin/env python3
"""Says what a CGI server understood of a request: one JSON line."""
import json
import os
import sys

declared = os.environ.get("CONTENT_LENGTH") or ""
body = sys.stdin.buffer.read(int(declared)) if declared else sys.stdin.buffer.read()
seen = {
    "method": os.environ.get("REQUEST_METHOD"),
    "target": os.environ.get("REQUEST_URI"),
    "host": os.environ.get("HTTP_HOST"),
    "organization": os.environ.get("HTTP_X_ORG_ID"),
    "project": os.environ.get("HTTP_X_PROJECT_ID"),
    "credential": os.environ.get("HTTP_AUTHORIZATION") or os.environ.get("HTTP_X_API_KEY"),
    "body": len(body),
}
sys.stdout.write("Status: 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(seen) + "\n")
