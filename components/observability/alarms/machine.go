package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

// ec2 has what EC2 says of machines. Source: Amazon EC2 User Guide, "CloudWatch metrics that are available for your instances":
// status checks come every minute, the rest every five without detailed monitoring.
const ec2 = "AWS/EC2"

func machine() []Alarm {
	return []Alarm{
		ours("cpu", "CPUUtilization", Average).from(ec2).every(300).line(Above, 85, 3, 3).notice("the CPU is busy for more than 85 % for a quarter of an hour"),
		ours("memory", metrics.MemoryUsed, Maximum).line(Above, 90, 10, 10).notice("more than 90 % of the memory is in use for ten minutes"),
		ours("disk", metrics.DiskUsed, Maximum).every(300).line(Above, 85, 2, 2).notice("the fullest disk is fuller than 85 %"),
		ours("disk-full", metrics.DiskUsed, Maximum).line(Above, 95, 3, 3).page("the fullest disk is fuller than 95 %: databases and logs are about to stop"),
		ours("inodes", metrics.InodesUsed, Maximum).every(300).line(Above, 85, 2, 2).notice("the disk with the fewest free inodes has used more than 85 %"),
		// One packet too many is no news; three minutes of five are a limit that is too low. All of ENA's allowances are in the
		// metric: packets a second, connections tracked, bandwidth both ways, link-local packets.
		ours("network-allowance", metrics.AllowanceExceeded, Sum).line(Above, 0, 3, 5).notice("EC2 delays or drops packets: the instance type allows no more"),
		ours("units-down", metrics.UnitsDown, Maximum).line(Above, 0, 5, 5).page("an enabled service does not run"),
		ours("sources-down", metrics.SourcesDown, Maximum).line(Above, 0, 5, 5).notice("a service does not answer to calldata-metrics"),
		ours("silent", metrics.MemoryUsed, SampleCount).line(Below, 1, 15, 15).missing(MissingIsBad).notice("no metric has come for a quarter of an hour"),
		// Recovery and reboot of fixed machines begin after two and three minutes, and may take some.
		ours("status", "StatusCheckFailed", Maximum).from(ec2).line(AtLeast, 1, 10, 10).page("EC2's status checks fail, and recovery has not helped"),
		ours("volume", "StatusCheckFailed_AttachedEBS", Maximum).from(ec2).line(AtLeast, 1, 3, 3).page("a disk does not answer"),
	}
}
