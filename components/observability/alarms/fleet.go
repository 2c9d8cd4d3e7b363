package alarms

// autoScaling has what Auto Scaling says of groups. Source: Amazon EC2 Auto Scaling User Guide, "Auto Scaling group metrics".
const autoScaling = "AWS/AutoScaling"

func fleet() []Alarm {
	group := func(name, statistic string) Alarm {
		return ours(name, "GroupInServiceInstances", statistic).from(autoScaling).of(Fleet)
	}
	return []Alarm{
		group("fleet-empty", Maximum).line(Below, 1, 3, 3).page("no machine of the fleet is in service"),
		// A machine may take 20 minutes to boot.
		group("fleet-small", Maximum).line(Below, 1, 30, 30).shareOf(Least).notice("fewer machines than the least have been in service for half an hour"),
		group("fleet-grown", Minimum).line(AtLeast, 1, 30, 30).shareOf(Most).notice("the fleet has been as large as it may be for half an hour"),
	}
}
