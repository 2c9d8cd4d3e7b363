package metrics

const (
	// Namespace holds every metric of ours.
	Namespace = "CallData"
	// AgentNamespace holds what AWS's own agent measures of a machine.
	// Source: Amazon CloudWatch User Guide, "Metrics collected by the CloudWatch agent".
	AgentNamespace = "CWAgent"
	// ActiveCalls is how many calls a machine carries, a count that each machine of a fleet writes once a minute with the
	// dimension DimGroup: the average over the group is what its scaling goes by.
	ActiveCalls = "ActiveCalls"
	// DimGroup is the dimension with the name of the machine's Auto Scaling group. It is called as in AWS's own metrics.
	// Source: Amazon EC2 Auto Scaling User Guide, "Dimensions for Auto Scaling group metrics".
	DimGroup = "AutoScalingGroupName"
)
