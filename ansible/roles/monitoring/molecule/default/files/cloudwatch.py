"""Plays CloudWatch and CloudWatch Logs for the scenario: keeps what it is told, one JSON object a line, and knows one log
group less than it is asked for. Both are asked at port 4599."""

import http.server
import json
import pathlib
import urllib.parse

KEPT = pathlib.Path("/var/tmp/cloudwatch.jsonl")
MISSING = "/calldata/trial/c4-router/missing"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "")
        if target:
            self.logs(target.split(".")[1], json.loads(body))
        else:
            self.metrics(dict(urllib.parse.parse_qsl(body)))

    def keep(self, entry):
        with KEPT.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def metrics(self, form):
        number = 1
        while f"MetricData.member.{number}.MetricName" in form:
            at = f"MetricData.member.{number}."
            dimensions = {form[f"{at}Dimensions.member.{i}.Name"]: form[f"{at}Dimensions.member.{i}.Value"] for i in (1, 2) if f"{at}Dimensions.member.{i}.Name" in form}
            self.keep({"namespace": form["Namespace"], "metric": form[at + "MetricName"], "value": float(form[at + "Value"]), "unit": form[at + "Unit"], "dimensions": dimensions})
            number += 1
        self.answer(200, "<PutMetricDataResponse/>", "text/xml")

    def logs(self, action, request):
        if request["logGroupName"] == MISSING:
            self.answer(400, json.dumps({"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}))
            return
        if action == "PutLogEvents":
            times = [event["timestamp"] for event in request["logEvents"]]
            self.keep({"group": request["logGroupName"], "stream": request["logStreamName"], "ordered": times == sorted(times), "lines": [event["message"] for event in request["logEvents"]]})
        self.answer(200, "{}")

    def answer(self, code, text, kind="application/x-amz-json-1.1"):
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 4599), Handler).serve_forever()
