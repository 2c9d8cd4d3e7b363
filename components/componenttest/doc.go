// Package componenttest runs components without Pulumi's engine and AWS, and shows what they registered.
package componenttest
