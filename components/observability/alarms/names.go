package alarms

// AlarmName is what an alarm of the thing is called.
func (t Thing) AlarmName(a Alarm) string { return t.Name + "-" + a.Name }

// RoleAlarm is what the alarm above those of a role that page is called.
func RoleAlarm(stack, role string) string { return stack + "-alarm-" + role }
