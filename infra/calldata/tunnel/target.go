package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Variable is the environment variable that chooses the way: "ssm", the default, or "direct".
const Variable = "CALLDATA_TUNNEL"

// Way is how a tunnel goes.
type Way string

const (
	// SSM is a session of AWS Systems Manager, opened by the AWS CLI. It needs credentials that may start one, and no route.
	SSM Way = "ssm"
	// Direct is a TCP connection to the machine's private address, for a caller inside its network: on a VPN, on a machine
	// there, or in a rehearsal.
	Direct Way = "direct"
)

// WayOf reads Variable. Empty is SSM.
func WayOf(getenv func(string) string) (Way, error) {
	switch way := Way(getenv(Variable)); way {
	case "":
		return SSM, nil
	case SSM, Direct:
		return way, nil
	default:
		return "", fmt.Errorf("%s is %q, want %s or %s: unset it to go through AWS Systems Manager", Variable, way, SSM, Direct)
	}
}

// Describe says in a few words where the way goes.
func (w Way) Describe() string {
	if w == Direct {
		return "straight to private addresses (" + Variable + "=" + string(Direct) + ")"
	}
	return "through AWS Systems Manager"
}

// Target is a machine's SSH server.
type Target struct {
	// Instance is the EC2 instance id, Region its AWS region: what Systems Manager needs.
	Instance, Region string
	// Host is its private address: what Direct needs.
	Host string
	// Port is the server's port, for both.
	Port int
}

var (
	// instanceForm is the form of EC2's ids, short ones of old and long ones. Source: Amazon EC2 User Guide, "Resource IDs".
	instanceForm = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)
	regionForm   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// Validate reports everything that is wrong with t. A valid target has nothing that a shell or ssh would take for more than
// a word.
func (t Target) Validate() error {
	var errs []error
	if !instanceForm.MatchString(t.Instance) {
		errs = append(errs, fmt.Errorf("instance is %q, want an EC2 instance id like i-0123456789abcdef0", t.Instance))
	}
	if !regionForm.MatchString(t.Region) {
		errs = append(errs, fmt.Errorf("region is %q, want an AWS region like us-east-1", t.Region))
	}
	if a, err := netip.ParseAddr(t.Host); err != nil || a.Zone() != "" {
		errs = append(errs, fmt.Errorf("host is %q, want the machine's private IP address", t.Host))
	}
	if t.Port < 1 || t.Port > 65535 {
		errs = append(errs, fmt.Errorf("port is %d, want 1 to 65535", t.Port))
	}
	return errors.Join(errs...)
}

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// ProxyCommand is the value of ssh's option of that name, for an ssh_config: the program at binary, which is this one, with
// the arguments that make the tunnel to t. An invalid target, and a binary that a line of that file cannot name, are errors.
func ProxyCommand(binary string, way Way, t Target) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	if strings.ContainsAny(binary, "\n\r\x00") {
		return "", fmt.Errorf("%q cannot be named in a configuration of ssh: put calldata into a directory with a plainer name", binary)
	}
	// A shell reads the command, and ssh expands percent signs before.
	quoted := "'" + strings.ReplaceAll(strings.ReplaceAll(binary, "'", `'"'"'`), "%", "%%") + "'"
	return fmt.Sprintf("%s tunnel --via %s --instance %s --region %s --host %s --port %d", quoted, way, t.Instance, t.Region, t.Host, t.Port), nil
}
