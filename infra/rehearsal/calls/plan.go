package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Plan says what the platform looks like from outside, and who calls. Its file form is JSON with these names.
type Plan struct {
	// Stack is the stack's name, for the report.
	Stack string `json:"stack"`
	// SBCs, Routers and Engines are the machines that calls go through.
	SBCs    []Machine `json:"sbcs"`
	Routers []Machine `json:"routers"`
	Engines []Machine `json:"engines"`
	// Database is the machine with the Routers' PostgreSQL, where this tester may break it; nil otherwise.
	Database *Machine `json:"database,omitempty"`
	// Domain is what phones register with. Phones are two lines of that tenant.
	Domain string  `json:"domain"`
	Phones []Phone `json:"phones"`
	// Carriers are the trunks that the platform knows by address, in the order of its routes' priority.
	Carriers []Carrier `json:"carriers"`
	// Numbers are what is called.
	Numbers Numbers `json:"numbers"`
	// Strangers is a network whose addresses are this machine's, and which has no phone and no carrier: attackers come from there.
	Strangers netip.Prefix `json:"strangers"`
	// DatabaseURLFile is a file of mode 0600 with the URL of the Routers' database; empty leaves the records unchecked.
	DatabaseURLFile string `json:"databaseUrlFile,omitempty"`
	// SSH is the way into the machines, for what breaks them; nil where nothing may be broken.
	SSH *SSH `json:"ssh,omitempty"`
	// Pool are the addresses that SBCs take, whoever has them now; Until is a file whose appearance ends the group release.
	Pool  []netip.Addr `json:"pool,omitempty"`
	Until string       `json:"until,omitempty"`
	// CertificatesFile is PEM with the SBCs' own certificates, where no authority signed them: these are taken, and no others.
	// Empty verifies them as a phone does, for Domain.
	CertificatesFile string `json:"certificatesFile,omitempty"`
}

// Machine is one machine of the platform.
type Machine struct {
	// Name is the stack's name for it.
	Name string `json:"name"`
	// Address is where calls reach it from outside; the zero address for machines that nobody calls.
	Address netip.Addr `json:"address,omitzero"`
	// Port is where it takes calls, over UDP; 0 is SIP's own.
	Port uint16 `json:"port,omitempty"`
	// Private is its address inside the VPC.
	Private netip.Addr `json:"private"`
	// Leader is the machine's first process, where the machine is a container of this host that nobody may log in to: its
	// programs are run in that process's namespaces, as Systems Manager's agent runs them in AWS. 0 goes by SSH.
	Leader int64 `json:"leader,omitempty"`
}

// sip is where calls go.
func (m Machine) sip() netip.AddrPort {
	if m.Port == 0 {
		return netip.AddrPortFrom(m.Address, sipPort)
	}
	return netip.AddrPortFrom(m.Address, m.Port)
}

// Phone is a line of the platform.
type Phone struct {
	// User is the SIP user name; Secret names its password in the secrets file.
	User   string `json:"user"`
	Secret string `json:"secret"`
	// Extension is what colleagues dial, Number what the world dials, in E.164 with +.
	Extension string `json:"extension"`
	Number    string `json:"number"`
	// Address is the one that the phone has.
	Address netip.Addr `json:"address"`
}

// Carrier is a trunk, played by this tester.
type Carrier struct {
	// Trunk is the trunk's name in the routing document.
	Trunk string `json:"trunk"`
	// Address is the one that the platform knows it by; the port is SIP's.
	Address netip.Addr `json:"address"`
}

// Numbers are in E.164 with +.
type Numbers struct {
	// Unknown is nobody's. Unserved is a number whose engine does not exist.
	Unknown  string `json:"unknown"`
	Unserved string `json:"unserved"`
	// Echo is answered by the engine with an echo, Answer with silence; empty where there is no such number.
	Echo   string `json:"echo,omitempty"`
	Answer string `json:"answer,omitempty"`
	// Outside begins the numbers that all carriers take; four digits are added. Unreachable begins those whose only carrier
	// does not answer.
	Outside     string `json:"outside"`
	Unreachable string `json:"unreachable"`
	// Dial comes before a number's digits where a phone dials it, for example "9"; empty dials it with its plus.
	Dial string `json:"dial,omitempty"`
}

// SSH is how to log in.
type SSH struct {
	User       string `json:"user"`
	KeyFile    string `json:"keyFile"`
	KnownHosts string `json:"knownHosts"`
}

// Command runs a shell as root on a machine, which reads its script from standard input and ends at the first error. SSH
// takes no key that KnownHosts does not know, and asks nobody.
func (s SSH) Command(ctx context.Context, m Machine) *exec.Cmd {
	shell := []string{"bash", "-euo", "pipefail", "-s"}
	line := append([]string{"nsenter", "--target", strconv.FormatInt(m.Leader, 10), "--all", "--wd", "--",
		"env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, shell...)
	if m.Leader == 0 {
		line = append([]string{"ssh", "-i", s.KeyFile, "-o", "UserKnownHostsFile=" + s.KnownHosts, "-o", "StrictHostKeyChecking=yes",
			"-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", s.User + "@" + m.Private.String(), "--", "sudo"}, shell...)
	}
	return exec.CommandContext(ctx, line[0], line[1:]...) //nolint:gosec // the plan's own values
}

var numberForm = regexp.MustCompile(`^\+[1-9][0-9]{3,14}$`)

// ReadPlan reads a file, and reports everything that is wrong with it.
func ReadPlan(path string) (Plan, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := p.Validate(); err != nil {
		return Plan{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Validate reports every field that calls could not be placed with.
func (p Plan) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for field, machines := range map[string][]Machine{"sbcs": p.SBCs, "routers": p.Routers, "engines": p.Engines} {
		if len(machines) == 0 {
			bad("%s is empty: name at least one machine", field)
		}
		for i, m := range machines {
			if m.Name == "" {
				bad("%s[%d].name is empty", field, i)
			}
			if !m.Private.Is4() {
				bad("%s[%d].private is %s: want an IPv4 address", field, i, m.Private)
			}
			if field == "sbcs" && !m.Address.Is4() {
				bad("%s[%d].address is %s: want the IPv4 address that it is called at", field, i, m.Address)
			}
		}
	}
	if p.Domain == "" || strings.ContainsAny(p.Domain, " @:;") {
		bad("domain is %q: want the tenant's SIP domain", p.Domain)
	}
	if len(p.Phones) != 2 {
		bad("phones has %d entries: want 2", len(p.Phones))
	}
	for i, phone := range p.Phones {
		for name, value := range map[string]string{"user": phone.User, "secret": phone.Secret, "extension": phone.Extension} {
			if value == "" {
				bad("phones[%d].%s is empty", i, name)
			}
		}
		if !phone.Address.Is4() {
			bad("phones[%d].address is %s: want an IPv4 address of this machine", i, phone.Address)
		}
		number(bad, fmt.Sprintf("phones[%d].number", i), phone.Number)
	}
	if len(p.Carriers) != 2 {
		bad("carriers has %d entries: want 2, the first one with priority", len(p.Carriers))
	}
	for i, c := range p.Carriers {
		if c.Trunk == "" || !c.Address.Is4() {
			bad("carriers[%d] is %q at %s: want the trunk's name and an IPv4 address of this machine", i, c.Trunk, c.Address)
		}
	}
	for _, n := range []struct{ name, value string }{
		{"unknown", p.Numbers.Unknown}, {"unserved", p.Numbers.Unserved}, {"outside", p.Numbers.Outside}, {"unreachable", p.Numbers.Unreachable},
	} {
		number(bad, "numbers."+n.name, n.value)
	}
	if !p.Strangers.IsValid() || !p.Strangers.Addr().Is4() || p.Strangers.Bits() > 25 {
		bad("strangers is %s: want an IPv4 network of 128 addresses or more", p.Strangers)
	}
	for i, phone := range p.Phones {
		if p.Strangers.IsValid() && p.Strangers.Contains(phone.Address) {
			bad("phones[%d].address %s is in strangers: it would be banned with them", i, phone.Address)
		}
	}
	if p.SSH != nil && slices.Contains([]string{p.SSH.User, p.SSH.KeyFile, p.SSH.KnownHosts}, "") {
		bad("ssh has an empty field: want user, keyFile and knownHosts")
	}
	return errors.Join(errs...)
}

func number(bad func(string, ...any), field, value string) {
	if !numberForm.MatchString(value) {
		bad("%s is %q: want E.164, for example +14155550100", field, value)
	}
}
