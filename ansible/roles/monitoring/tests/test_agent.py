"""The program that fetches Amazon's agent takes what the right key has signed, and nothing else."""

import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).parent.parent / "files" / "calldata-cloudwatch-agent"


class Agent(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "amazon-cloudwatch-agent.deb").write_text("package")
        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", str(self.root / "g"), "--kill", "all"], check=True)
        self.fingerprint = self.make_key("amazon", self.root / "key")
        self.other = self.make_key("other", self.root / "other")

    def gpg(self, *arguments):
        # The directory's name is short: the agent's socket is in it.
        return subprocess.run(["gpg", "--homedir", str(self.root / "g"), "--batch", "--quiet", *arguments], check=True, capture_output=True, text=True).stdout

    def make_key(self, name, path):
        (self.root / "g").mkdir(mode=0o700, exist_ok=True)
        self.gpg("--passphrase", "", "--quick-generate-key", name, "ed25519", "sign")
        path.write_text(self.gpg("--armor", "--export", name))
        return next(line.split(":")[9] for line in self.gpg("--with-colons", "--list-keys", name).splitlines() if line.startswith("fpr"))

    def sign(self, name):
        signature = self.root / "amazon-cloudwatch-agent.deb.sig"
        signature.unlink(missing_ok=True)
        self.gpg("--local-user", name, "--output", str(signature), "--detach-sign", str(self.root / "amazon-cloudwatch-agent.deb"))

    def fetch(self, key="key"):
        done = subprocess.run([PROGRAM, self.root.as_uri(), f"{self.root.as_uri()}/{key}", self.fingerprint, str(self.root / "cache")],
                              capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(self.root)})
        return done.returncode, done.stdout.strip()

    def installed(self):
        return (self.root / "cache" / "amazon-cloudwatch-agent.deb").exists()

    def test_signed(self):
        self.sign("amazon")
        self.assertEqual(self.fetch()[0], 0)
        self.assertTrue(self.installed())

    def test_changed_after_signing(self):
        self.sign("amazon")
        (self.root / "amazon-cloudwatch-agent.deb").write_text("another")
        code, said = self.fetch()
        self.assertEqual(code, 1)
        self.assertIn("is not signed with the key " + self.fingerprint, said)
        self.assertFalse(self.installed())

    def test_signed_with_another_key(self):
        self.sign("other")
        self.assertEqual(self.fetch("other")[0], 1, "a good signature of a wrong key")
        self.assertFalse(self.installed())

    def test_not_to_be_had(self):
        code, said = self.fetch()
        self.assertEqual(code, 3)
        self.assertIn("amazon-cloudwatch-agent.deb.sig cannot be had", said)


if __name__ == "__main__":
    unittest.main()
