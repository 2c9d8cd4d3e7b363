package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/calldata/calldata-foundation/components/ports"
)

// SmokeExtension is the extension that the configuration stage makes every engine answer with an echo, so that
// `calldata smoke` can place a call without a second phone.
const SmokeExtension = "*10"

// SmokeUser is the SIP user name that `calldata smoke` registers with.
const SmokeUser = "smoke"

// Outputs is what a deployed stack tells the outside: everything that the inventory, the health checks and the smoke
// calls need, and nothing secret. Its JSON form is exactly what `pulumi stack output --json` prints.
type Outputs struct {
	// Stack is the stack's name, for example "dev".
	Stack string `json:"stack"`
	// Region is the AWS region, for example "us-east-1".
	Region string `json:"region"`
	// Nodes lists the machines in a fixed order.
	Nodes []Node `json:"nodes"`
	// Endpoints says where people and phones reach the platform.
	Endpoints Endpoints `json:"endpoints"`
	// Fleets lists the groups of machines that grow and shrink; their machines configure themselves.
	Fleets []Fleet `json:"fleets,omitempty"`
	// Database is the Routers' PostgreSQL, where the stack has one.
	Database *Database `json:"database,omitempty"`
	// VpcCIDR is the network's range of addresses.
	VpcCIDR netip.Prefix `json:"vpcCidr,omitzero"`
	// Carriers are the addresses that carriers signal from, where the stack lets them in.
	Carriers []netip.Prefix `json:"carriers,omitempty"`
	// Silent tells that Routers register with no carrier (carrierRegistrations).
	Silent bool `json:"silent,omitempty"`
	// Backups is where machines put their backups, where the stack has a bucket for them.
	Backups *Backups `json:"backups,omitempty"`
	// Prometheus is what Prometheus is to know, where the stack has one.
	Prometheus *Prometheus `json:"prometheus,omitempty"`
	// Inventory is the Ansible inventory built from the fields above, in YAML.
	Inventory string `json:"inventory,omitempty"`
}

// Node is one machine of a stack.
type Node struct {
	// Name is the machine's name in the stack and in the inventory, for example "dev-uc-1".
	Name string `json:"name"`
	// Roles says what runs on it.
	Roles []Role `json:"roles"`
	// InstanceID is the EC2 instance id.
	InstanceID string `json:"instanceId"`
	// Zone is the availability zone.
	Zone string `json:"zone"`
	// PrivateIP is the address inside the VPC.
	PrivateIP string `json:"privateIp"`
	// PublicIP is the Elastic IP, or empty.
	PublicIP string `json:"publicIp,omitempty"`
	// User is the login that cloud-init makes, "admin" on Debian's AMIs.
	User string `json:"user"`
	// Access is how to reach it, AccessSSH where nothing is said.
	Access Access `json:"access,omitempty"`
	// Firewall is who may reach which of its ports, by the same rules as its security groups.
	Firewall []ports.Opening `json:"firewall,omitempty"`
}

// BootTimeout is how long a machine of a fleet may take from its launch until calls come.
const BootTimeout = 20 * time.Minute

// Fleet is one group of machines.
type Fleet struct {
	// Name is the name of its Auto Scaling group.
	Name string `json:"name"`
	// Role is what runs on its machines.
	Role Role `json:"role"`
	// Colour is the set of fleets that it belongs to, Standing how that set stands. Stacks that were deployed before there were
	// colours name neither.
	Colour   Colour   `json:"colour,omitempty"`
	Standing Standing `json:"standing,omitempty"`
}

// Database says where PostgreSQL is, and where its password is kept.
type Database struct {
	// Host and Port are where it listens.
	Host string `json:"host"`
	Port int    `json:"port"`
	// SecretARN is the secret in Secrets Manager that holds user and password.
	SecretARN string `json:"secretArn"`
}

// Backups says where machines put their backups.
type Backups struct {
	// Bucket is the name of the S3 bucket, KeyARN the KMS key that objects in it are encrypted with.
	Bucket string `json:"bucket"`
	KeyARN string `json:"keyArn"`
	// Copy is where each of them is copied to, where the stack has a second region for that.
	Copy *BackupsCopy `json:"copy,omitempty"`
}

// BackupsCopy says where copies of backups are.
type BackupsCopy struct {
	// Region is the AWS region of the copies.
	Region string `json:"region"`
	// Bucket is the name of the S3 bucket, KeyARN the KMS key that objects in it are encrypted with.
	Bucket string `json:"bucket"`
	KeyARN string `json:"keyArn"`
}

// LogPrefix is how the names of the stack's CloudWatch log groups begin, for example "/calldata/stage".
func LogPrefix(stack string) string { return "/calldata/" + stack }

// Address is where to reach the node from outside: its public address, or else its private one.
func (n Node) Address() string {
	if n.PublicIP != "" {
		return n.PublicIP
	}
	return n.PrivateIP
}

// Endpoints are the addresses that people and phones use.
type Endpoints struct {
	// Web is the base URL of the engine's web and API server, for example "https://203.0.113.10".
	Web string `json:"web"`
	// SIP is the registrar and proxy for phones, for example "sip:203.0.113.10:5060;transport=udp".
	// It is empty where no phones are let in.
	SIP string `json:"sip"`
	// Carriers is where carriers send calls, for example "sip:prod-sip.elb.amazonaws.com:5060;transport=udp".
	Carriers string `json:"carriers,omitempty"`
}

// ParseOutputs reads the JSON of `pulumi stack output --json`. It answers every missing or malformed field at once.
func ParseOutputs(data []byte) (Outputs, error) {
	var o Outputs
	if err := json.Unmarshal(data, &o); err != nil {
		return Outputs{}, fmt.Errorf("stack outputs are not the JSON of `pulumi stack output --json`: %w", err)
	}
	return o, o.Validate()
}

// Validate reports every field that a consumer could not work with.
func (o Outputs) Validate() error {
	var errs []error
	need := func(field, value string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("stack output %s is empty: run `pulumi up` for this stack first", field))
		}
	}
	need("stack", o.Stack)
	need("region", o.Region)
	need("endpoints.web", o.Endpoints.Web)
	need("endpoints.sip", o.Endpoints.SIP+o.Endpoints.Carriers)
	if len(o.Nodes) == 0 {
		errs = append(errs, errors.New("stack output nodes is empty: run `pulumi up` for this stack first"))
	}
	if o.Backups != nil {
		need("backups.bucket", o.Backups.Bucket)
		need("backups.keyArn", o.Backups.KeyARN)
		if c := o.Backups.Copy; c != nil {
			need("backups.copy.region", c.Region)
			need("backups.copy.bucket", c.Bucket)
			need("backups.copy.keyArn", c.KeyARN)
		}
	}
	if o.Prometheus != nil {
		errs = append(errs, o.Prometheus.Validate())
	}
	seen := map[string]bool{}
	for i, n := range o.Nodes {
		at := fmt.Sprintf("nodes[%d]", i)
		need(at+".name", n.Name)
		need(at+".instanceId", n.InstanceID)
		need(at+".user", n.User)
		if n.Name != "" && seen[n.Name] {
			errs = append(errs, fmt.Errorf("stack output %s.name is %q, which an earlier node has too", at, n.Name))
		}
		seen[n.Name] = true
		if len(n.Roles) == 0 {
			errs = append(errs, fmt.Errorf("stack output %s.roles is empty", at))
		}
		for _, r := range n.Roles {
			if !r.Valid() {
				errs = append(errs, fmt.Errorf("stack output %s.roles has %q, want one of %v", at, r, AllRoles()))
			}
		}
		if n.Access != "" && n.Access != AccessSSH && n.Access != AccessSSM {
			errs = append(errs, fmt.Errorf("stack output %s.access is %q, want %s or %s", at, n.Access, AccessSSH, AccessSSM))
		}
		if _, err := netip.ParseAddr(n.PrivateIP); err != nil {
			errs = append(errs, fmt.Errorf("stack output %s.privateIp is %q, want an IP address", at, n.PrivateIP))
		}
		for _, opening := range n.Firewall {
			if err := opening.Validate(); err != nil {
				errs = append(errs, fmt.Errorf("stack output %s.firewall: %w", at, err))
			}
		}
		if n.PublicIP != "" {
			if _, err := netip.ParseAddr(n.PublicIP); err != nil {
				errs = append(errs, fmt.Errorf("stack output %s.publicIp is %q, want an IP address", at, n.PublicIP))
			}
		}
	}
	return errors.Join(errs...)
}
