// Package boundary gives every IAM role of a stack a permissions boundary. The account's baseline lets deployments from
// GitHub make no role without one.
package boundary
