"""What the templates make for machines of each role: the CloudWatch agent takes it, and every log file is shipped."""

import fnmatch
import json
import pathlib
import unittest

try:
    import yaml
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar
except ImportError:
    Templar = None

ROLE = pathlib.Path(__file__).parent.parent
ROLES = {"c4-router": ["c4-router"], "c4-sbc": ["c4-sbc"], "uc-engine": ["uc-engine"], "all-in-one": ["uc-engine", "c4-router", "c4-sbc"], "none": []}

# What the agent measures, by its inputs. Source: Amazon CloudWatch User Guide, "Metrics collected by the CloudWatch agent on Linux and
# macOS instances" and "Collect process metrics with the procstat plugin".
MEASURES = {
    "disk": "free inodes_free inodes_total inodes_used total used used_percent",
    "mem": "active available available_percent buffered cached free inactive total used used_percent",
    "net": "bytes_recv bytes_sent drop_in drop_out err_in err_out packets_recv packets_sent",
    "netstat": "tcp_close tcp_close_wait tcp_closing tcp_established tcp_fin_wait1 tcp_fin_wait2 tcp_last_ack tcp_listen tcp_none tcp_syn_recv "
               "tcp_syn_sent tcp_time_wait udp_socket",
    "processes": "blocked dead idle paging running sleeping stopped total total_threads wait zombies",
    "procstat": "cpu_time cpu_time_system cpu_time_user cpu_usage memory_data memory_locked memory_rss memory_stack memory_swap memory_vms num_fds "
                "num_threads pid pid_count read_bytes read_count write_bytes write_count",
    "swap": "free used used_percent",
}
# What else may be said of an input. Source: ibidem, "Manually create or edit the CloudWatch agent configuration file".
ANY = {"append_dimensions", "measurement", "metrics_collection_interval"}
OPTIONS = {"disk": {"drop_device", "ignore_file_system_types", "resources"}, "net": {"resources"}, "procstat": {"exe"}}
# Source: ibidem, "Collect network performance metrics": the counters of the driver ena.
ETHTOOL = "bw_in_allowance_exceeded bw_out_allowance_exceeded conntrack_allowance_available conntrack_allowance_exceeded " \
          "linklocal_allowance_exceeded pps_allowance_exceeded"
DIMENSIONS = {"ImageId": "${aws:ImageId}", "InstanceId": "${aws:InstanceId}", "InstanceType": "${aws:InstanceType}", "AutoScalingGroupName": "${aws:AutoScalingGroupName}"}

# Source: Wazo Platform, "Log files", and the settings of the packages: logger.d of Asterisk, sites of nginx, wazo-upgrade, wazo-dbms.
DAEMONS = "agentd agid amid auth call-logd calld chatd confd confgend dird dxtora phoned plugind provd purge-db setupd stat sync sysconfd ui upgrade " \
          "webhookd websocketd"
FILES = {
    "uc-engine": [f"/var/log/wazo-{name}.log" for name in DAEMONS.split()] + [
        "/var/log/wazo-provd-fail2ban.log", "/var/log/wazo-database-migration-13-to-15.log",
        *[f"/var/log/asterisk/{name}" for name in ("messages", "full", "queue_log", "fail2ban", "debug", "cdr-csv/Master.csv", "cdr-custom/Master.csv")],
        *[f"/var/log/nginx/{name}.{kind}.log" for name in ("wazo", "wazo-provd") for kind in ("access", "error")],
        "/var/log/postgresql/postgresql-15-main.log", "/var/log/rabbitmq/rabbit@localhost.log"],
    "c4-router": ["/var/log/postgresql/postgresql-15-main.log"],
    "c4-sbc": [],
}
UNITS = {"uc-engine": [], "c4-router": ["kamailio.service"], "c4-sbc": ["kamailio.service", "rtpengine-daemon.service"]}


@unittest.skipUnless(Templar, "Ansible is not here; the Go test TestMonitoringLibrary has it")
class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        init_plugin_loader()

    def render(self, template, roles):
        known = {"inventory_hostname": "stage-1", "group_names": [], "calldata_roles": roles, "calldata_region": "eu-west-1",
                 "calldata_instance_id": "i-0123456789abcdef0", "calldata_log_prefix": "/calldata/stage"}
        for name in ("defaults", "vars"):
            known |= yaml.safe_load((ROLE / name / "main.yml").read_text())
        text = Templar(DataLoader(), variables=known).template((ROLE / "templates" / template).read_text(), convert_data=False)
        return json.loads(text)

    def test_the_agent_takes_it(self):
        for name, roles in ROLES.items():
            with self.subTest(name):
                settings = self.render("cloudwatch-agent.json.j2", roles)
                self.assertEqual(set(settings), {"agent", "metrics"})
                self.assertEqual(settings["agent"], {"metrics_collection_interval": 60, "region": "eu-west-1", "run_as_user": "cwagent"})
                metrics = settings["metrics"]
                self.assertLessEqual(set(metrics), {"namespace", "append_dimensions", "metrics_collected"})
                self.assertLessEqual(metrics["append_dimensions"].items(), DIMENSIONS.items())
                collected = metrics["metrics_collected"]
                driver = collected.pop("ethtool")
                self.assertEqual(set(driver), {"interface_include", "metrics_include"})
                self.assertLessEqual(set(driver["metrics_include"]), set(ETHTOOL.split()))
                for plugin, inputs in collected.items():
                    for one in inputs if plugin == "procstat" else [inputs]:
                        self.assertLessEqual(set(one), ANY | OPTIONS.get(plugin, set()), plugin)
                        measures = [m.removeprefix(plugin + "_") for m in one["measurement"]]
                        self.assertLessEqual(set(measures), set(MEASURES[plugin].split()), plugin)
                        self.assertEqual(len(measures), len(set(measures)), plugin)
                        self.assertIsInstance(one.get("metrics_collection_interval", 60), int)

    def test_the_agent_watches_the_processes_of_the_role(self):
        for name, want in {"c4-router": ["kamailio"], "c4-sbc": ["kamailio", "rtpengine"],
                           "uc-engine": ["asterisk", "beam.smp", "nginx", "postgres", "python3"]}.items():
            collected = self.render("cloudwatch-agent.json.j2", ROLES[name])["metrics"]["metrics_collected"]
            self.assertEqual([one["exe"] for one in collected["procstat"]], want)
        # An empty list is what it does not take.
        self.assertNotIn("procstat", self.render("cloudwatch-agent.json.j2", [])["metrics"]["metrics_collected"])

    def test_every_log_is_shipped_once(self):
        for name, files in FILES.items():
            settings = self.render("logs.json.j2", [name])
            self.assertEqual((settings["prefix"], settings["stream"]), ("/calldata/stage/" + name, "i-0123456789abcdef0"))
            for file in files:
                groups = [group for group, patterns in settings["files"].items() if any(fnmatch.fnmatchcase(file, p) for p in patterns)]
                self.assertEqual(len(groups), 1, f"{file} goes to {groups}")
            self.assertEqual(sorted(u for units in settings["journal"].values() for u in units), UNITS[name])
            self.assertIn("journal", settings["journal"])
            for patterns in settings["files"].values():
                for pattern in patterns:
                    self.assertFalse(fnmatch.fnmatchcase(pattern + ".1.gz", pattern), "compressed lines are no lines")

    def test_the_metrics_of_a_role(self):
        for name, want in {"c4-router": {"kamailio", "postgresql"}, "c4-sbc": {"kamailio", "rtpengine"}, "uc-engine": {"asterisk", "backup", "pair", "postgresql"}}.items():
            settings = self.render("monitoring.json.j2", ROLES[name])
            self.assertEqual(set(settings["sources"]), want | {"certificates", "ena", "system", "units"})
            self.assertEqual((settings["publish"]["role"], settings["publish"]["instance"]), (name, "i-0123456789abcdef0"))
            for source in settings["sources"]:
                self.assertTrue((ROLE / "files" / "lib" / "sources" / f"{source}.py").exists(), source)


if __name__ == "__main__":
    unittest.main()
