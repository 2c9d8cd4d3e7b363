package alarms

// AlarmName is what an alarm of the thing is called.
func (t Thing) AlarmName(a Alarm) string { return t.Name + "-" + a.Name }

// RoleAlarm is what the alarm above those of a role that page is called.
func RoleAlarm(stack, role string) string { return stack + "-alarm-" + role }

// CopyJobsFailed is a notice that is no alarm: AWS Backup tells as events of copies to another region that fail. The runbook has an
// entry of this name.
const CopyJobsFailed = "copy-jobs-failed"
