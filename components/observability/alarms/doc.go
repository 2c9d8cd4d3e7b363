// Package alarms says what of a stack is watched, as plain values: which metric of what kind of thing, where the line is, and who
// is to hear of it. It knows neither Pulumi nor AWS; Evaluate says what CloudWatch would make of a series of values.
package alarms
