package configure

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Args say what to configure. Nothing in them is secret: they become inputs of a resource, which previews and state show.
type Args struct {
	// Inventory is the Ansible inventory in YAML; the command reads it from standard input.
	Inventory pulumi.StringInput
	// InstanceIDs are the machines: a replaced machine is configured anew.
	InstanceIDs pulumi.StringArrayInput
	// After is what the machines need to be reached: addresses, routes, firewall rules.
	After []pulumi.Resource

	// Stack is the stack's name, as `calldata configure` knows it.
	Stack string
	// ContentHash stands for the playbooks, roles and variables: another hash runs them again.
	ContentHash string
	// Timeout is how long the command may take.
	Timeout time.Duration
}

// stackForm is the form of a stack's name. It keeps the name harmless in a shell.
var stackForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Validate reports every field that the command could not work with.
func (a Args) Validate() error {
	var errs []error
	if a.Inventory == nil {
		errs = append(errs, errors.New("inventory: it is missing"))
	}
	if a.InstanceIDs == nil {
		errs = append(errs, errors.New("instance ids: they are missing"))
	}
	if !stackForm.MatchString(a.Stack) {
		errs = append(errs, fmt.Errorf("stack: %q is not a stack's name", a.Stack))
	}
	if a.ContentHash == "" {
		errs = append(errs, errors.New("content hash: it is empty, so changed playbooks would never run"))
	}
	if a.Timeout < time.Minute || a.Timeout%time.Minute != 0 {
		errs = append(errs, fmt.Errorf("timeout: %s, want whole minutes, at least one", a.Timeout))
	}
	return errors.Join(errs...)
}
