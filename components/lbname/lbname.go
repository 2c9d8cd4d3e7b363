package lbname

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// Max is the longest logical name. AWS allows 32 letters, digits and hyphens; Pulumi adds a hyphen and seven random
// characters, so that a replacement can stand beside what it replaces.
// Source: Elastic Load Balancing API Reference, CreateLoadBalancer and CreateTargetGroup.
const Max = 32 - 8

const (
	digits   = 6
	reserved = "internal-" // the same source: no load balancer's name begins so
)

var refused = regexp.MustCompile(`[^A-Za-z0-9]+`)

// Fit answers name, or what stands for it where AWS would refuse it: without the characters that it refuses, short enough,
// and with a hash of the whole name at its end, so that two names never become one.
func Fit(name string) string {
	clean := strings.Trim(refused.ReplaceAllString(name, "-"), "-")
	if clean == "" || strings.HasPrefix(clean, reserved) {
		clean = strings.TrimSuffix("lb-"+clean, "-")
	}
	if clean == name && len(name) <= Max {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	if keep := Max - digits - 1; len(clean) > keep {
		clean = strings.TrimRight(clean[:keep], "-")
	}
	return clean + "-" + hex.EncodeToString(sum[:])[:digits]
}
