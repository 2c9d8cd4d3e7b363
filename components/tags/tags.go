package tags

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Keys of the tags that every taggable resource carries.
const (
	KeyName        = "Name"
	KeyProject     = "Project"
	KeyEnvironment = "Environment"
	KeyRole        = "Role"
	KeyOwner       = "Owner"
	KeyCostCenter  = "CostCenter"
	KeyManagedBy   = "ManagedBy"
)

// CostKeys are the tags that a bill should tell apart. ManagedBy and Name say nothing about costs.
func CostKeys() []string {
	return []string{KeyProject, KeyEnvironment, KeyRole, KeyOwner, KeyCostCenter}
}

// ManagedBy is the value of the ManagedBy tag: whoever changes such a resource by hand will be overruled.
const ManagedBy = "pulumi"

// maxValue is the longest tag value in characters.
// Source: AWS Tagging Reference, "Tag naming limits and requirements".
const maxValue = 256

// valueChars are the characters that every AWS service accepts in a tag value (same source).
var valueChars = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+\-@]*$`)

// Tags are what resources of one owner and purpose have in common.
type Tags struct {
	// Project is the project that the resource belongs to.
	Project string
	// Environment is the stack, for example "dev".
	Environment string
	// Role is what the resource serves, for example "network" or "uc-engine".
	Role string
	// Owner is who answers for it: a team or an address.
	Owner string
	// CostCenter is who pays for it.
	CostCenter string
}

// WithRole is t for a resource that serves role.
func (t Tags) WithRole(role string) Tags {
	t.Role = role
	return t
}

// Named answers the tags of the resource called name. The map is the caller's own.
func (t Tags) Named(name string) map[string]string {
	return map[string]string{
		KeyName:        name,
		KeyProject:     t.Project,
		KeyEnvironment: t.Environment,
		KeyRole:        t.Role,
		KeyOwner:       t.Owner,
		KeyCostCenter:  t.CostCenter,
		KeyManagedBy:   ManagedBy,
	}
}

// Validate reports every tag that is empty or that AWS would refuse.
func (t Tags) Validate() error {
	named := t.Named("name")
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(named)) {
		if err := CheckValue(named[key]); err != nil {
			errs = append(errs, fmt.Errorf("tag %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// CheckValue reports what keeps value from being the value of one of our tags.
func CheckValue(value string) error {
	switch {
	case value == "":
		return errors.New("the value is empty")
	case len([]rune(value)) > maxValue:
		return fmt.Errorf("the value has %d characters, AWS allows %d", len([]rune(value)), maxValue)
	case !valueChars.MatchString(value):
		return fmt.Errorf("%q has a character that AWS refuses in tags, use letters, digits, spaces and . _ : / = + - @", value)
	}
	return nil
}
