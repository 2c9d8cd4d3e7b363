package rehearsal

import (
	"embed"
	"net/netip"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// The people of the calls: two carriers of whom the second is the spare one, a carrier that does not exist, and two phones.
// Numbers are of ranges for drama that nobody has: 555-01xx of North America, +49 30 23125 of Berlin, +33 1 99 00 of Paris.
var (
	carrierOne    = netip.MustParseAddr("198.51.100.10")
	carrierTwo    = netip.MustParseAddr("198.51.100.20")
	carrierSilent = netip.MustParseAddr("198.51.100.99")
	phoneOne      = netip.MustParseAddr("192.0.2.10")
	phoneTwo      = netip.MustParseAddr("192.0.2.11")
	// attackers are the other half of the strangers' network.
	attackers = netip.MustParsePrefix("192.0.2.128/25")
)

// noEngine is the end of an address of the VPC that no machine has: the emulator gives out the first ones of a subnet.
const noEngine = 250

// The entries of the secrets file for the phones.
const (
	secretOfPhoneOne = "calls_alice_password"
	secretOfPhoneTwo = "calls_bob_password"
)

// tenantDomain is what the scene's phones register with.
func tenantDomain(stack string) string { return "acme." + stack + "." + sceneZone }

// scenePlan is the plan for a stack's machines.
func scenePlan(stack string, roles map[string][]calls.Machine) calls.Plan {
	return calls.Plan{
		Stack: stack, SBCs: roles[string(stacks.RoleC4SBC)], Routers: roles[string(stacks.RoleC4Router)], Engines: roles[string(stacks.RoleUCEngine)],
		Domain: tenantDomain(stack),
		Phones: []calls.Phone{
			{User: "alice", Secret: secretOfPhoneOne, Extension: "1101", Number: "+14155550101", Address: phoneOne},
			{User: "bob", Secret: secretOfPhoneTwo, Extension: "1102", Number: "+14155550102", Address: phoneTwo},
		},
		Carriers: []calls.Carrier{{Trunk: "telco-1", Address: carrierOne}, {Trunk: "telco-2", Address: carrierTwo}},
		Numbers: calls.Numbers{
			Unknown: "+14155550199", Unserved: "+14155550180", Echo: "+14155550103", Answer: "+14155550104",
			Outside: "+493023125", Unreachable: "+3319900", Dial: "9",
		},
		Strangers: attackers, DatabaseURLFile: routingDatabaseFile(Dir(stack)),
	}
}

//go:embed routing.yml.tmpl tenant.yml.tmpl
var sceneFiles embed.FS

var sceneTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"digits": func(number string) string { return strings.TrimPrefix(number, "+") },
}).ParseFS(sceneFiles, "*.tmpl"))

// sceneRouting is the routing document of a plan, sceneTenant what its engines have.
func sceneRouting(p calls.Plan) string { return sceneText("routing.yml.tmpl", p) }

// Sources are the networks that the Routers' calls come from.
func sceneTenant(p calls.Plan, sources []netip.Prefix) string {
	return sceneText("tenant.yml.tmpl", p, sources...)
}

func sceneText(name string, p calls.Plan, sources ...netip.Prefix) string {
	nobody := p.Engines[0].Private.As4()
	nobody[3] = noEngine
	var out strings.Builder
	// A template that its test executes does not fail.
	_ = sceneTemplates.ExecuteTemplate(&out, name, map[string]any{"Plan": p, "Silent": carrierSilent, "Nobody": netip.AddrFrom4(nobody), "Sources": sources})
	return out.String()
}

// routerSources are where Routers call from: their own addresses or, of those of a fleet, which come and go, its networks.
func routerSources(topology stacks.Topology, p calls.Plan) []netip.Prefix {
	var sources []netip.Prefix
	for _, f := range topology.Fleets {
		if f.Role == stacks.RoleC4Router {
			for _, s := range topology.Network.Of(f.Tier) {
				sources = append(sources, s.CIDR)
			}
		}
	}
	if len(sources) == 0 {
		for _, r := range p.Routers {
			sources = append(sources, netip.PrefixFrom(r.Private, r.Private.BitLen()))
		}
	}
	return sources
}

// routingDatabaseFile is where a rehearsal whose files are in dir keeps the URL of the Routers' database.
func routingDatabaseFile(dir string) string {
	return filepath.Join(dir, "secrets", "routing-database-url")
}
