"""Tests of calldata-backup with S3: uploads of several parts, and lines that break off."""

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from machine import FILES, Machine, until

try:
    from cloud import FORBIDDEN, UNAVAILABLE, Cloud
except ImportError:
    Cloud = None

sys.path.insert(0, str(FILES))
from calldata_backup import store, system  # noqa: E402

MIB = 1 << 20
PART = {"name": "files", "kind": "files", "paths": ["/srv"]}
# Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
LEAST_OF_S3, MOST_OF_S3, PARTS_OF_S3 = 5 * MIB, 5 << 30, 10_000


class PartsTest(unittest.TestCase):
    def test_sizes(self):
        sizes = [store.part_bytes(n) for n in range(1, store.MOST_PARTS + 1)]
        self.assertEqual(len(sizes), PARTS_OF_S3)
        self.assertTrue(all(LEAST_OF_S3 <= n <= MOST_OF_S3 for n in sizes))
        self.assertEqual((sizes[0], sizes[999], sizes[1000]), (16 * MIB, 16 * MIB, 32 * MIB))
        self.assertEqual((max(sizes) // MIB, sum(sizes) >> 30), (160, 859))


@unittest.skipUnless(Cloud, "boto3 and moto are not here; the Go test TestBackup has them")
class S3Test(unittest.TestCase):
    def setUp(self):
        self.cloud = Cloud()
        self.addCleanup(self.cloud.close)
        self.s3 = self.cloud.client("s3")
        self.s3.create_bucket(Bucket="backups")
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.machine = Machine(top.name)
        self.machine.variables = self.cloud.variables
        self.machine.write_settings(destination="s3://backups/c4-router/", kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/1")
        self.machine.parts(PART)
        # Nobody can compress it: what is stored is larger, and takes two parts.
        self.content = os.urandom(17 * MIB)
        self.fill("srv/big", self.content)

    def fill(self, name, content):
        path = self.machine.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def bucket(self):
        with mock.patch.dict(os.environ, self.cloud.variables):
            return store.open_store({"destination": "s3://backups/", "region": "us-east-1"})

    def keys(self):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket="backups").get("Contents", [])]

    def unfinished(self):
        return self.s3.list_multipart_uploads(Bucket="backups").get("Uploads", [])

    def asked(self, method, name):
        """Requests with a method and a name in the query."""
        return [r for r in self.cloud.requests if r["method"] == method and name in r["query"]]

    def nothing_is_left(self):
        self.assertEqual((self.keys(), self.unfinished()), ([], []))
        self.assertEqual(self.machine.last()["files"]["failed"], 1)
        self.assertNotIn("last_success", self.machine.last()["files"])

    def test_several_parts(self):
        self.content = os.urandom(33 * MIB)
        self.fill("srv/big", self.content)
        self.machine.run("now")
        sent = self.asked("PUT", "partNumber")
        self.assertEqual([int(r["query"]["partNumber"]) for r in sent], [1, 2, 3])
        self.assertEqual([r["bytes"] for r in sent[:2]], [16 * MIB] * 2)
        self.assertTrue(all(len(base64.b64decode(r["headers"]["x-amz-checksum-sha256"])) == 32 for r in sent))
        begun = self.asked("POST", "uploads")[0]["headers"]
        self.assertEqual((begun["x-amz-checksum-algorithm"], begun["x-amz-server-side-encryption"]), ("SHA256", "aws:kms"))
        self.assertEqual(self.unfinished(), [])
        backup = self.machine.ids()[0]
        part = json.loads(self.s3.get_object(Bucket="backups", Key=f"c4-router/{backup}/manifest.json")["Body"].read())["manifest"]["parts"][0]
        stored = self.s3.get_object(Bucket="backups", Key=f"c4-router/{backup}/{part['object']}")
        self.assertTrue(stored["ETag"].strip('"').endswith("-3"), stored["ETag"])
        self.assertEqual(hashlib.sha256(stored["Body"].read()).hexdigest(), part["sha256"])
        self.fill("srv/big", b"lost")
        self.machine.run("restore", backup, "--identity", str(self.machine.key))
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)

    def test_one_part_exactly(self):
        """A stream that ends with a part has no empty one after it."""
        bucket = self.bucket()
        for size in (0, 1, store.PART - 1, store.PART, store.PART + 1):
            content = self.content[:size]
            bucket.put("some", io.BytesIO(content))
            self.assertTrue(self.s3.get_object(Bucket="backups", Key="some")["Body"].read() == content, size)
            with bucket.get("some") as stream:
                self.assertTrue(b"".join(iter(lambda: stream.read(MIB), b"")) == content, size)  # noqa: B023 - used at once
        self.assertEqual(len(self.asked("PUT", "partNumber")), 1 + 2)

    def test_a_part_that_is_not_taken_at_first(self):
        failed = []

        def trouble(request):
            if request["query"].get("partNumber") == "2" and len(failed) < 2:
                failed.append(request)
                return ("answer", 503, UNAVAILABLE) if len(failed) == 1 else ("hang up",)
            return None

        self.cloud.trouble = trouble
        self.machine.run("now")
        self.assertEqual(len(failed), 2)
        self.assertIn("files is whole", self.machine.run("verify", "router-1/latest", "--identity", str(self.machine.key)))

    def test_a_part_that_is_never_taken(self):
        self.cloud.trouble = lambda request: ("answer", 403, FORBIDDEN) if request["query"].get("partNumber") == "2" else None
        self.assertIn("AccessDenied", self.machine.run("now", code=1))
        self.nothing_is_left()
        self.assertEqual([r["query"]["partNumber"] for r in self.asked("PUT", "partNumber")], ["1", "2"], "what cannot be stored is not sent")

    def test_an_upload_that_cannot_be_ended(self):
        self.cloud.trouble = lambda request: ("answer", 403, FORBIDDEN) if request["method"] == "POST" and "uploadId" in request["query"] else None
        self.assertIn("AccessDenied", self.machine.run("now", code=1))
        self.nothing_is_left()

    def test_an_upload_that_cannot_be_given_up(self):
        """Its reason is told, not that of the second failure; the bucket's lifecycle removes it."""
        self.cloud.trouble = lambda request: ("answer", 403, FORBIDDEN) if request["query"].get("partNumber") == "2" or request["method"] == "DELETE" else None
        self.assertIn("UploadPart", self.machine.run("now", code=1))
        self.assertEqual((self.keys(), len(self.unfinished())), ([], 1))

    def test_a_program_that_fails_in_the_middle(self):
        self.machine.put("tools/age", "#!/bin/sh\nhead -c 20000000\necho no room >&2\nexit 1\n", 0o755)
        self.assertIn("age: no room", self.machine.run("now", code=1))
        self.assertEqual(len(self.asked("PUT", "partNumber")), 1)
        self.nothing_is_left()

    def test_a_backup_that_is_ended_in_the_middle(self):
        self.machine.put("tools/zstd", "#!/bin/sh\nexec cat /dev/zero\n", 0o755)  # it does not end by itself
        started = subprocess.Popen(self.machine.command("now"), env=self.machine.environment(), stdout=subprocess.DEVNULL)
        until(lambda: len(self.asked("PUT", "partNumber")) > 1)
        started.send_signal(signal.SIGTERM)
        self.assertEqual(started.wait(600), 128 + signal.SIGTERM)
        self.assertEqual((self.keys(), self.unfinished()), ([], []))

    def test_more_than_s3_takes(self):
        bucket = self.bucket()
        most, store.MOST_PARTS = store.MOST_PARTS, 1
        self.addCleanup(setattr, store, "MOST_PARTS", most)
        with self.assertRaisesRegex(system.Failure, "larger than S3 takes"):
            bucket.put("some", io.BytesIO(self.content))
        self.assertEqual((self.keys(), self.unfinished()), ([], []))

    def test_a_download_that_breaks_off_goes_on(self):
        self.machine.run("now")
        self.fill("srv/big", b"lost")
        cuts = []

        def trouble(request):
            if request["method"] == "GET" and request["path"].endswith(".age") and len(cuts) < 3:
                cuts.append(request["headers"].get("range"))
                return "cut", 5 * MIB
            return None

        self.cloud.trouble = trouble
        self.machine.run("restore", "router-1/latest", "--identity", str(self.machine.key))
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)
        self.assertEqual(cuts, [None, f"bytes={5 * MIB}-", f"bytes={10 * MIB}-"])

    def test_a_download_that_always_breaks_off(self):
        self.machine.run("now")
        before = self.machine.snapshot("srv")
        self.cloud.trouble = lambda request: ("cut", 0) if request["method"] == "GET" and request["path"].endswith(".age") else None
        out = self.machine.run("restore", "router-1/latest", "--identity", str(self.machine.key), code=1)
        self.assertIn(".tar.zst.age: ", out)
        self.assertEqual(self.machine.snapshot("srv"), before)
        self.assertIn("there is no restore", self.machine.run("rollback", code=3))

    def test_what_is_not_as_it_was_stored(self):
        self.machine.run("now")
        before = self.machine.snapshot("srv")
        key = next(k for k in self.keys() if k.endswith(".age"))
        whole = self.s3.get_object(Bucket="backups", Key=key)["Body"].read()
        half = len(whole) // 2
        for change, text in ((whole[:half], "truncated"), (whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1:], "damaged")):
            self.s3.put_object(Bucket="backups", Key=key, Body=change)
            self.assertIn(text, self.machine.run("restore", "router-1/latest", "--identity", str(self.machine.key), code=3))
            self.assertIn(text, self.machine.run("verify", "router-1/latest", code=3))
        self.assertEqual(self.machine.snapshot("srv"), before)

    def test_an_object_that_changes_meanwhile(self):
        self.machine.run("now")
        key = next(k for k in self.keys() if k.endswith(".age"))

        def trouble(request):
            if request["method"] == "GET" and request["path"].endswith(".age") and "range" not in request["headers"]:
                return "cut", MIB
            if "range" in request["headers"]:
                self.s3.put_object(Bucket="backups", Key=key, Body=self.content)
            return None

        self.cloud.trouble = trouble
        self.assertIn("PreconditionFailed", self.machine.run("verify", "router-1/latest", code=1))

    def test_the_key_is_a_secret_of_aws(self):
        self.machine.run("now")
        self.fill("srv/big", b"lost")
        arn = self.cloud.client("secretsmanager").create_secret(Name="key", SecretString=self.machine.key.read_text())["ARN"]
        out = self.machine.run("restore", "router-1/latest", "--identity-secret", arn)
        self.assertNotIn("AGE-SECRET-KEY", out)
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)
        out = self.machine.run("restore", "router-1/latest", "--identity-secret", arn + "x", code=3)
        self.assertIn("refused: identity: ", out)

    def hand_over(self, name="handed.json"):
        """What `calldata backup restore --from` would hand over: a URL, signed by somebody else, for each object."""
        with mock.patch.dict(os.environ, self.cloud.variables):
            client = system.aws("s3", {"region": "us-east-1"})
        listed = self.s3.list_objects_v2(Bucket="backups", Prefix="c4-router/").get("Contents", [])
        objects = {o["Key"].removeprefix("c4-router/"): client.generate_presigned_url("get_object", Params={"Bucket": "backups", "Key": o["Key"]}) for o in listed}
        self.machine.put(name, json.dumps({"where": "s3://backups/c4-router", "objects": objects}), 0o600)
        return str(self.machine.root / name)

    def elsewhere(self):
        """A backup in a bucket that this machine may not read; its own store is empty."""
        self.machine.run("now")
        backup = self.machine.ids()[0]
        self.machine.write_settings(destination="file:///../nowhere", kms_key_arn="")
        self.machine.variables = {"no_proxy": "127.0.0.1"}
        self.fill("srv/big", b"lost")
        return backup, ("--identity", str(self.machine.key))

    def test_handed_over(self):
        backup, key = self.elsewhere()
        self.assertIn("there is no backup", self.machine.run("restore", backup, *key, code=3))
        handed = self.hand_over()
        self.assertIn("files is whole", self.machine.run("verify", "router-1/latest", "--from", handed, *key))
        self.assertIn("nothing was touched", self.machine.run("restore", backup, "--from", handed, *key, "--check"))
        self.assertEqual((self.machine.root / "srv/big").read_bytes(), b"lost")
        self.machine.run("restore", backup, "--from", handed, *key)
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)
        self.assertIn("is back", self.machine.run("rollback"))

    def test_handed_over_from_another_stack(self):
        backup, key = self.elsewhere()
        self.machine.write_settings(stack="drill", host="router-9")
        handed = self.hand_over()
        self.assertIn("the backup is of stack stage, this machine is of stack drill", self.machine.run("restore", backup, "--from", handed, *key, code=3))
        self.assertEqual((self.machine.root / "srv/big").read_bytes(), b"lost")
        self.machine.run("restore", backup, "--from", handed, *key, "--allow", "stack")
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)

    def test_handed_over_by_a_line_that_breaks_off(self):
        backup, key = self.elsewhere()
        handed, cuts = self.hand_over(), []

        def trouble(request):
            if request["path"].endswith(".age") and len(cuts) < 4:
                cuts.append(request["headers"].get("range"))
                return ("answer", 503, UNAVAILABLE) if len(cuts) == 2 else ("cut", 5 * MIB)
            return None

        self.cloud.trouble = trouble
        self.machine.run("restore", backup, "--from", handed, *key)
        self.assertTrue((self.machine.root / "srv/big").read_bytes() == self.content)
        self.assertEqual(cuts, [None, f"bytes={5 * MIB}-", f"bytes={5 * MIB}-", f"bytes={10 * MIB}-"])

    def test_handed_over_is_refused(self):
        backup, key = self.elsewhere()
        handed = self.hand_over()
        before = self.machine.snapshot("srv")
        secret = json.loads((self.machine.root / "handed.json").read_text())["objects"][f"{backup}/manifest.json"]
        self.cloud.trouble = lambda request: ("answer", 403, FORBIDDEN)
        out = self.machine.run("restore", backup, "--from", handed, *key, code=1)
        self.assertIn("HTTP 403 AccessDenied no; what was handed over is good for a time only", out)
        self.assertNotIn(secret, out)
        self.cloud.trouble = lambda request: ("cut", 0)
        out = self.machine.run("restore", backup, "--from", handed, *key, code=1)
        self.assertIn("bytes early", out)
        self.assertNotIn(secret, out)
        self.cloud.trouble = lambda request: None
        self.assertIn("was not handed over from s3://backups", self.machine.run("restore", "router-2/20260102T030405Z-0a1b2c3d", "--from", handed, *key, code=3))
        self.machine.put("torn.json", json.dumps({"objects": [secret]}), 0o600)
        out = self.machine.run("restore", backup, "--from", str(self.machine.root / "torn.json"), *key, code=3)
        self.assertIn("it is not what `calldata backup restore --from` hands over", out)
        self.assertNotIn(secret, out)
        self.machine.put("open.json", "{}", 0o644)
        self.assertIn("has mode 0644", self.machine.run("restore", backup, "--from", str(self.machine.root / "open.json"), *key, code=3))
        self.assertIn("No such file", self.machine.run("restore", backup, "--from", "/nowhere", *key, code=3))
        self.s3.delete_object(Bucket="backups", Key=f"c4-router/{backup}/manifest.json")
        self.assertIn("there is no backup", self.machine.run("restore", backup, "--from", handed, *key, code=3))
        self.assertEqual(self.machine.snapshot("srv"), before)


if __name__ == "__main__":
    unittest.main()
