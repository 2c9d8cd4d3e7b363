package policy

import (
	"slices"
	"strings"
)

// identities are the properties by which other resources name a resource.
var identities = []string{"arn", "id", "name", "bucket", "keyId", "allocationId", "keyName", "defaultNetworkAclId", "defaultSecurityGroupId"}

// identifiedBy reports whether text, an id, a name or an ARN, is of r.
func (r Resource) identifiedBy(text string) bool {
	if text == "" {
		return false
	}
	// An ARN ends with the id or the name. Source: AWS General Reference, "Amazon Resource Names (ARNs)".
	last := text[strings.LastIndexAny(text, ":/")+1:]
	if text == r.ID || text == r.Name || last == r.Name || r.ID != "" && last == r.ID {
		return true
	}
	for _, key := range identities {
		if own, ok := r.get(key).text(); ok && own != "" && (own == text || own == last) {
			return true
		}
	}
	return false
}

// refers reports whether the property of from at path names to. Where its value is not known, or is empty because mocks
// did not invent it, what the property depends on decides.
func refers(from Resource, to Resource, path ...string) bool {
	property := from.get(path...)
	texts, complete := property.texts()
	switch {
	case slices.ContainsFunc(texts, to.identifiedBy):
		return true
	case property.v == nil || complete && !property.missing():
		return false
	case from.PropertyDependencies != nil:
		return slices.Contains(from.PropertyDependencies[path[0]], to.URN)
	}
	return slices.Contains(from.Dependencies, to.URN)
}

// referrers lists the resources of some kinds whose property at path names to.
func (g Graph) referrers(to Resource, kinds []string, path ...string) []Resource {
	var found []Resource
	for _, r := range g.of(kinds...) {
		if refers(r, to, path...) {
			found = append(found, r)
		}
	}
	return found
}

// referents lists the resources of some kinds that the property of from at path names.
func (g Graph) referents(from Resource, kinds []string, path ...string) []Resource {
	var found []Resource
	for _, r := range g.of(kinds...) {
		if refers(from, r, path...) {
			found = append(found, r)
		}
	}
	return found
}

// users lists the resources that name to in any property, components left out.
func (g Graph) users(to Resource) []Resource {
	var found []Resource
	for _, r := range g.Resources {
		if r.URN == to.URN || !strings.HasPrefix(r.Type, "aws:") {
			continue
		}
		for key := range r.Props {
			if !r.get(key).missing() && refers(r, to, key) {
				found = append(found, r)
				break
			}
		}
	}
	return found
}
