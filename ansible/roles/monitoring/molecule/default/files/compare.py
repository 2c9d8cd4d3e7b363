"""Compare what CloudWatch was told with what has happened on the machine."""

import collections
import json
import subprocess
import sys

with open("/var/tmp/cloudwatch.jsonl") as file:
    told = [json.loads(line) for line in file]
with open("/var/tmp/outage") as file:
    outage = file.read().strip()
metrics = collections.defaultdict(list)
lines = collections.Counter()
ordered = True
for entry in told:
    if "metric" in entry:
        metrics[entry["metric"], *sorted(entry["dimensions"].items())].append(entry["value"])
    else:
        ordered = ordered and entry["ordered"]
        lines.update((entry["group"].rsplit("/", 1)[1], line) for line in entry["lines"])

here = ("InstanceId", "i-0123456789abcdef0"), ("Role", "c4-router")
fleet = (("AutoScalingGroupName", "trial-c4-router"),)
last = {key: values[-1] for key, values in metrics.items()}
said = subprocess.run(["journalctl", "--since", f"@{outage}", "--output=cat", "--unit=calldata-metrics"], capture_output=True, text=True, check=True).stdout
masked = 'login {"user": "anna", "password": ***} token=*** Authorization: Basic ***'

wrong = []
for what, is_, want in (
    ("calls of the machine", last.get(("ActiveCalls", *here)), 7),
    ("calls for the fleet", last.get(("ActiveCalls", *fleet)), 7),
    ("failed calls", sum(metrics["FailedCalls", *here]), 5),
    ("targets down", last.get(("TargetsDown", *here)), 1),
    ("bans", last.get(("Bans", *here)), 2),
    ("sources down", last.get(("SourcesDown", *here)), 0),
    ("units down", last.get(("UnitsDown", *here)), 0),
    ("a certificate's time", last.get(("CertificateLeft", *here), 0) > 0, True),
    ("namespaces", {entry["namespace"] for entry in told if "metric" in entry}, {"CallData"}),
    ("the fleet's metrics", {key[0] for key in metrics if key[1:] == fleet}, {key[0] for key in metrics if key[1:] == here}),
    ("events in order", ordered, True),
    ("lines of the file", {line: n for (group, line), n in lines.items() if group == "trial"},
     {"line before": 1, masked: 1, "line before rotation": 1, "line after rotation": 1}),
    ("lines of a group that is missing", [line for group, line in lines if group == "missing"], []),
    ("lines of the journal", lines["journal", "trial: journal says hello"], 1),
    ("what was said of the outage", (said.count("does not take the metrics"), said.count("takes the metrics again")), (1, 1)),
):
    if is_ != want:
        wrong.append(f"{what}: {is_}, want {want}")
sys.exit("\n".join(wrong) or 0)
