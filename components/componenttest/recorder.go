package componenttest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/providers"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// What AWS answers in these tests.
const (
	Account   = "123456789012"
	Image     = "ami-0deb12amd64000001"
	PrivateIP = "10.20.0.4"
	PublicIP  = "203.0.113.10"
	Zone      = "Z0123456789ABCDEFGHIJ"
)

// Resource is a resource as it was registered.
type Resource struct {
	// Type is its token.
	Type string `json:"type"`
	// Name is its logical name.
	Name string `json:"name"`
	// Parent is the type and name of its parent, empty for children of the stack.
	Parent string `json:"parent,omitempty"`
	// Provider is the name of the provider that the program made for it, empty for the stack's own.
	Provider string `json:"provider,omitempty"`
	// Protect says whether Pulumi refuses to delete it.
	Protect bool `json:"protect,omitempty"`
	// RetainOnDelete says whether Pulumi leaves it in AWS when it forgets it.
	RetainOnDelete bool `json:"retainOnDelete,omitempty"`
	// IgnoreChanges are the inputs whose changes Pulumi passes over.
	IgnoreChanges []string `json:"ignoreChanges,omitempty"`
	// Dependencies are the types and names of what must be there first, in alphabetical order.
	Dependencies []string `json:"dependencies,omitempty"`
	// Inputs are its properties.
	Inputs map[string]any `json:"inputs,omitempty"`
}

// Call is a function of a provider as it was called.
type Call struct {
	Token string
	Args  map[string]any
}

// Recorder stands for engine and providers, and remembers what a program did.
type Recorder struct {
	// Preview leaves everything unknown that only AWS could tell.
	Preview bool

	mu        sync.Mutex
	resources []Resource
	calls     []Call
}

// Run runs program as a deployment of the stack "dev", or as a preview if r says so.
func (r *Recorder) Run(program pulumi.RunFunc) error {
	return pulumi.RunErr(program, pulumi.WithMocks("calldata-foundation", "dev", r), func(info *pulumi.RunInfo) { info.DryRun = r.Preview })
}

// Main runs the tests of a package without the caller's AWS and Pulumi settings, and answers the exit code.
func Main(m *testing.M) int {
	for _, entry := range os.Environ() {
		key, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(key, "AWS_") || strings.HasPrefix(key, "PULUMI_") {
			if err := os.Unsetenv(key); err != nil {
				panic(err)
			}
		}
	}
	return m.Run()
}

// Resources answers what was registered, in alphabetical order of type and name.
func (r *Recorder) Resources() []Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.resources), func(a, b Resource) int {
		return strings.Compare(a.Type+" "+a.Name, b.Type+" "+b.Name)
	})
}

// OfType answers the resources of one type by name.
func (r *Recorder) OfType(token string) map[string]Resource {
	found := map[string]Resource{}
	for _, res := range r.Resources() {
		if res.Type == token {
			found[res.Name] = res
		}
	}
	return found
}

// One answers the only resource of a type, and fails the test if there are more or none.
func (r *Recorder) One(t *testing.T, token string) Resource {
	t.Helper()
	found := r.OfType(token)
	if len(found) != 1 {
		t.Fatalf("%d resources of the type %s, want one: %v", len(found), token, slices.Sorted(maps.Keys(found)))
	}
	for _, res := range found {
		return res
	}
	return Resource{}
}

// Calls answers the calls of one function.
func (r *Recorder) Calls(token string) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(func(yield func(Call) bool) {
		for _, c := range r.calls {
			if c.Token == token && !yield(c) {
				return
			}
		}
	})
}

// Call answers a provider's function.
func (r *Recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, Call{Token: args.Token, Args: args.Args.Mappable()})
	switch args.Token {
	case "aws:ec2/getAmi:getAmi":
		return resource.PropertyMap{"id": resource.NewProperty(Image)}, nil
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return resource.PropertyMap{"accountId": resource.NewProperty(Account)}, nil
	case "aws:index/getRegion:getRegion":
		return resource.PropertyMap{"name": resource.NewProperty(r.region(providerOf(args.Provider)))}, nil
	case "aws:route53/getZone:getZone":
		return resource.PropertyMap{"zoneId": resource.NewProperty(Zone), "name": args.Args["name"]}, nil
	case "aws:elb/getServiceAccount:getServiceAccount":
		return resource.PropertyMap{"arn": resource.NewProperty("arn:aws:iam::127311923021:root")}, nil
	}
	return args.Args, nil
}

// region is where a provider acts.
func (r *Recorder) region(provider string) string {
	for _, res := range r.resources {
		if region, ok := res.Inputs["region"].(string); ok && res.Type == "pulumi:providers:aws" && res.Name == provider {
			return region
		}
	}
	return "us-east-1"
}

// providerOf is the name in a reference to a provider, which is its URN and its id.
func providerOf(reference string) string {
	ref, err := providers.ParseReference(reference)
	if err != nil {
		return ""
	}
	return ref.URN().Name()
}

// NewResource registers a resource and answers what AWS would.
func (r *Recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rpc := args.RegisterRPC
	res := Resource{
		Type: args.TypeToken, Name: args.Name, Protect: rpc.GetProtect(), RetainOnDelete: rpc.GetRetainOnDelete(), Provider: providerOf(args.Provider), IgnoreChanges: rpc.GetIgnoreChanges(), Inputs: args.Inputs.Mappable(),
	}
	if parent := resource.URN(rpc.GetParent()); parent != "" && parent.Type() != resource.RootStackType {
		res.Parent = short(parent)
	}
	for _, d := range rpc.GetDependencies() {
		res.Dependencies = append(res.Dependencies, short(resource.URN(d)))
	}
	slices.Sort(res.Dependencies)
	r.resources = append(r.resources, res)
	if r.Preview {
		return "", args.Inputs, nil
	}
	outputs := args.Inputs.Copy()
	for key, value := range invented(args) {
		if _, given := outputs[resource.PropertyKey(key)]; !given {
			outputs[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
		}
	}
	return args.Name + "-id", outputs, nil
}

// invented are the properties that AWS would tell, of every type alike and of some besides.
func invented(args pulumi.MockResourceArgs) map[string]any {
	out := map[string]any{
		"arn":  fmt.Sprintf("arn:aws:%s:us-east-1:%s:%s", service(args.TypeToken), Account, args.Name),
		"name": args.Name,
	}
	maps.Copy(out, inventedOf[args.TypeToken])
	switch args.TypeToken {
	case "aws:ec2/eip:Eip":
		out["allocationId"] = args.Name + "-id"
	case "aws:ec2/keyPair:KeyPair":
		out["keyName"] = args.Name
	case "aws:s3/bucketV2:BucketV2":
		out["bucket"], out["arn"] = args.Name, "arn:aws:s3:::"+args.Name
	case "aws:cloudwatch/logGroup:LogGroup":
		out["arn"] = "arn:aws:logs:us-east-1:" + Account + ":log-group:" + args.Name
	case "aws:iam/role:Role":
		out["arn"] = "arn:aws:iam::" + Account + ":role/" + args.Name
	case "aws:kms/key:Key":
		out["keyId"] = args.Name + "-key-id"
	case "aws:lb/loadBalancer:LoadBalancer":
		out["dnsName"], out["arnSuffix"] = args.Name+".elb.amazonaws.com", "lb/"+args.Name
	case "aws:lb/targetGroup:TargetGroup":
		out["arnSuffix"] = "targetgroup/" + args.Name
	case "aws:rds/instance:Instance":
		out["address"], out["endpoint"], out["port"] = args.Name+".rds.amazonaws.com", args.Name+".rds.amazonaws.com:5432", 5432
		out["masterUserSecrets"] = []any{map[string]any{"secretArn": "arn:aws:secretsmanager:us-east-1:" + Account + ":secret:" + args.Name}}
	case "aws:acm/certificate:Certificate":
		out["domainValidationOptions"] = []any{map[string]any{
			"resourceRecordName": "_proof." + args.Name, "resourceRecordType": "CNAME", "resourceRecordValue": "_answer.acm-validations.aws",
		}}
	}
	return out
}

// inventedOf are the properties that are the same for every resource of a type.
var inventedOf = map[string]map[string]any{
	"aws:ec2/instance:Instance":        {"privateIp": PrivateIP},
	"aws:ec2/eip:Eip":                  {"publicIp": PublicIP},
	"aws:ec2/natGateway:NatGateway":    {"publicIp": PublicIP},
	"aws:lb/loadBalancer:LoadBalancer": {"zoneId": "Z35SXDOTRQ7X7K"},
	"command:local:Command":            {"stdout": "done"},
}

// service is the AWS service of a type token, for example "ec2" of "aws:ec2/vpc:Vpc".
func service(token string) string {
	_, rest, _ := strings.Cut(token, ":")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func short(urn resource.URN) string { return string(urn.Type()) + " " + urn.Name() }
