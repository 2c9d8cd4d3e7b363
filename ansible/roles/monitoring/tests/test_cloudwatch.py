"""What CloudWatch is told."""

import pathlib
import sys
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "files" / "lib"))

import cloudwatch  # noqa: E402
from samples import sample  # noqa: E402

SETTINGS = {"instance": "i-1", "role": "c4-sbc", "group": ""}
FLEET = {**SETTINGS, "group": "stage-c4-sbc"}


def told(now, before=None, settings=SETTINGS):
    return {(entry["MetricName"], entry["Dimensions"][0]["Name"]): entry["Value"] for entry in cloudwatch.data(now, before, settings)}


class Data(unittest.TestCase):
    def test_a_fleet_is_told_as_well(self):
        now = [sample("calldata_active_calls", 7, server="kamailio"), sample("calldata_bans", 2)]
        machine = {("ActiveCalls", "InstanceId"): 7, ("Bans", "InstanceId"): 2}
        self.assertEqual(told(now), machine)
        self.assertEqual(told(now, settings=FLEET), {**machine, ("ActiveCalls", "AutoScalingGroupName"): 7, ("Bans", "AutoScalingGroupName"): 2})

    def test_what_is_away_is_not_told(self):
        self.assertEqual(told([sample("calldata_up", 0, source="kamailio"), sample("calldata_up", 1, source="ena")]), {("SourcesDown", "InstanceId"): 1})
        self.assertEqual(told([]), {})

    def test_counters_are_told_as_growth(self):
        def failed(value):
            return [sample("calldata_kamailio_dialogs_failed_total", value)]

        self.assertEqual(told(failed(5)), {})
        self.assertEqual(told(failed(5), failed(5)), {("FailedCalls", "InstanceId"): 0})
        self.assertEqual(told(failed(9), failed(5)), {("FailedCalls", "InstanceId"): 4})
        self.assertEqual(told(failed(2), failed(5)), {("FailedCalls", "InstanceId"): 2}, "Kamailio has been restarted")

    def test_quality_is_an_average(self):
        def mos(total, count):
            return [sample("rtpengine_mos_total", total), sample("rtpengine_mos_samples_total", count)]

        self.assertEqual(told(mos(86, 20), mos(43, 10)), {("MediaQuality", "InstanceId"): 4.3})
        self.assertEqual(told(mos(43, 10), mos(43, 10)), {})

    def test_percentages(self):
        now = [sample("calldata_postgresql_connections", 45), sample("calldata_postgresql_connections_max", 90)]
        self.assertEqual(told(now), {("DatabaseConnectionsUsed", "InstanceId"): 50})


class Outage(unittest.TestCase):
    def test_it_is_said_once(self):
        class Client:
            good = False

            def put_metric_data(self, **request):
                if not self.good:
                    raise OSError("no route")
                self.request = request

        said = []
        publisher = cloudwatch.Publisher(SETTINGS, None, said.append)
        publisher.client = client = Client()
        failed = [[sample("calldata_kamailio_dialogs_failed_total", value)] for value in (1, 2, 5)]
        client.good = True
        publisher.publish(failed[0])
        client.good = False
        for _ in range(3):
            publisher.publish(failed[1])
        self.assertEqual(len(said), 1)
        self.assertIn("no route", said[0])
        client.good = True
        publisher.publish(failed[2])
        self.assertEqual(len(said), 2)
        self.assertEqual(client.request["Namespace"], "CallData")
        self.assertEqual(client.request["MetricData"][0]["Value"], 4, "what failed meanwhile is told afterwards")


class Credentials(unittest.TestCase):
    def test_they_may_come_late(self):
        """A machine that begins before its role has credentials tells its metrics when they are there."""
        class NoCredentialsError(Exception):
            pass

        there, taken, said = [], [], []

        class Session:
            get_credentials = staticmethod(lambda: there[0] if there else None)

            def client(self, name, **_):
                of = self.get_credentials()
                return types.SimpleNamespace(put_metric_data=lambda **data: taken.append((name, of)))

        fakes = {
            "boto3": types.SimpleNamespace(session=types.SimpleNamespace(Session=Session)), "botocore": types.ModuleType("botocore"),
            "botocore.config": types.SimpleNamespace(Config=lambda **_: None), "botocore.exceptions": types.SimpleNamespace(NoCredentialsError=NoCredentialsError),
        }
        publisher = cloudwatch.Publisher({**SETTINGS, "region": "us-east-1", "authorities": None, "endpoint": ""}, None, said.append)
        with mock.patch.dict(sys.modules, fakes):
            publisher.publish([])
            there.append("of the role")
            publisher.publish([])
        self.assertEqual(taken, [("cloudwatch", "of the role")])
        self.assertEqual(len(said), 2, said)


if __name__ == "__main__":
    unittest.main()
