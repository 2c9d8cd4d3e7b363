package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Scope is the kind of a stack. It decides which rules apply and how strictly.
type Scope string

// The scopes. Account is what exists once per AWS account.
const (
	Dev     Scope = "dev"
	Stage   Scope = "stage"
	Prod    Scope = "prod"
	Account Scope = "account"
)

// Scopes lists every scope, the least strict first.
func Scopes() []Scope { return []Scope{Dev, Stage, Prod, Account} }

// ScopeOf answers the scope of a stack: the topology that its settings name, or else the one that it is called like. It
// fails for a topology that has no rules, since a stack without rules is not a stack that keeps them.
func ScopeOf(topology, stack string) (Scope, error) {
	name := topology
	if name == "" {
		name = stack
	}
	if scope := Scope(name); slices.Contains(Scopes(), scope) {
		return scope, nil
	}
	return "", fmt.Errorf("stack %s has the topology %q, and there are rules for %v: set calldata-foundation:topology to one of them", stack, name, Scopes())
}

// Unknown stands for a property that only the deployment will tell.
type Unknown struct{}

// Secret stands for a property that is set, and whose value nobody is shown.
type Secret struct{}

// Resource is a resource of a stack. Names of properties are Pulumi's.
type Resource struct {
	// Type is its token, for example "aws:ec2/instance:Instance".
	Type string
	// Name is its logical name.
	Name string
	// URN identifies it among the resources of its graph. Parent and dependencies are given in the same form.
	URN string
	// ID is its id at the provider; empty while it is not known.
	ID string
	// Props are its properties: nil, bool, float64, string, []any, map[string]any, Unknown and Secret. Normalize makes them.
	Props map[string]any
	// Inputs are what the program asked for, where the source tells them apart from what the provider answered. Nil where
	// Props are the inputs.
	Inputs map[string]any
	// Parent is the URN of its parent, empty for children of the stack.
	Parent string
	// Protect says whether Pulumi refuses to delete it.
	Protect bool
	// RetainOnDelete says whether Pulumi leaves it in AWS when it forgets it.
	RetainOnDelete bool
	// Dependencies are the URNs of what must be there first.
	Dependencies []string
	// PropertyDependencies are the URNs that each property depends on. Nil where the source does not tell.
	PropertyDependencies map[string][]string
}

// Graph is a stack as the rules see it.
type Graph struct {
	// Stack is the stack's name.
	Stack string
	// Scope is its kind.
	Scope Scope
	// Resources are what it consists of, without what is about to be deleted.
	Resources []Resource
	// RetentionUnknown says that the source does not tell RetainOnDelete: Pulumi's engine does not pass it to policy packs.
	RetentionUnknown bool
}

// Normalize answers a property in the form that rules read. It takes what Pulumi's mocks, state files and policy packs
// hand over; assets, archives and whatever else no rule looks into become Unknown.
func Normalize(v any) any {
	switch v := v.(type) {
	case nil, bool, float64, Unknown, Secret:
		return v
	case string:
		if v == unknownText {
			return Unknown{}
		}
		return v
	case int:
		return float64(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = Normalize(item)
		}
		return list
	case map[string]any:
		if special, ok := signed(v); ok {
			return special
		}
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = Normalize(item)
		}
		return object
	case *resource.Secret:
		return Secret{}
	case resource.Output:
		switch {
		case !v.Known:
			return Unknown{}
		case v.Secret:
			return Secret{}
		}
		return Normalize(v.Element.Mappable())
	}
	return Unknown{}
}

// NormalizeProps is Normalize for all properties of a resource.
func NormalizeProps(props map[string]any) map[string]any {
	object := make(map[string]any, len(props))
	for key, v := range props {
		object[key] = Normalize(v)
	}
	return object
}

// modules are older names of AWS modules whose types are those of another one.
var modules = map[string]string{"alb": "lb", "applicationloadbalancing": "lb", "elasticloadbalancingv2": "lb"}

// kind is the service and resource of an AWS type, without the version that some types carry: "s3/bucket" for
// "aws:s3/bucketV2:BucketV2". Types of other providers are answered whole.
func (r Resource) kind() string {
	rest, ok := strings.CutPrefix(r.Type, "aws:")
	if !ok {
		return r.Type
	}
	rest, _, _ = strings.Cut(rest, ":")
	module, name, _ := strings.Cut(strings.TrimSuffix(rest, "V2"), "/")
	if newer, known := modules[module]; known {
		module = newer
	}
	return module + "/" + name
}

// is reports whether the resource is of one of the kinds.
func (r Resource) is(kinds ...string) bool { return slices.Contains(kinds, r.kind()) }

// requested is the resource with what the program asked for, where the source tells it apart: the provider answers AWS's
// own key where nobody named one, and the two look alike.
func (r Resource) requested() Resource {
	if r.Inputs != nil {
		r.Props = r.Inputs
	}
	return r
}

// tag is the value of one of the resource's own tags.
func (r Resource) tag(key string) value { return r.get("tags", key) }

// of lists the resources of some kinds.
func (g Graph) of(kinds ...string) []Resource {
	var found []Resource
	for _, r := range g.Resources {
		if r.is(kinds...) {
			found = append(found, r)
		}
	}
	return found
}
