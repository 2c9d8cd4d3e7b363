// Package observability registers what tells people of a stack: its alarms, one alarm above them for each role, so that one fault
// calls somebody once, and the topics that they are told to. What is watched, and where the line is, is in the package alarms.
package observability
