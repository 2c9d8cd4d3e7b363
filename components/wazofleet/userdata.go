package wazofleet

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/bundle"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/userdata"
)

// base leaves the host name to the boot script, which knows the instance id, and packages to its retries.
const base = `preserve_hostname: true
ssh_pwauth: false
disable_root: true
package_update: false
package_upgrade: false
`

//go:embed scripts/boot.sh
var bootScript string

// userData is what cloud-init does at the first boot. Another bundle or another fact is another text, and so another
// version of the launch template.
func (b *builder) userData() pulumi.StringOutput {
	names := slices.Sorted(maps.Keys(b.args.Variables))
	inputs := []any{b.args.Bundle.BucketName}
	for _, name := range names {
		inputs = append(inputs, b.args.Variables[name])
	}
	return pulumi.All(inputs...).ApplyT(func(known []any) (string, error) {
		variables := map[string]string{}
		for i, name := range names {
			variables[name] = known[i+1].(string)
		}
		return b.args.text(known[0].(string), variables)
	}).(pulumi.StringOutput)
}

// ownFacts are what the machines know of the fleet itself.
func (a Args) ownFacts() map[string]any {
	return map[string]any{
		"calldata_role": a.Role, "calldata_roles": []string{a.Role}, "calldata_stack": a.Stack, "calldata_domain": a.Domain, "calldata_group": a.group(),
		"calldata_drain_hook": DrainHook, "calldata_drain_seconds": int(a.DrainTimeout / time.Second), "calldata_calls_per_node": a.CallsPerNode,
		"calldata_metric_namespace": metrics.Namespace, "calldata_metric_active_calls": metrics.ActiveCalls, "calldata_metric_dimension": metrics.DimGroup,
	}
}

// checkUserData finds out before the first resource whether the facts fit, with a long text for each that is not known yet.
func (a Args) checkUserData() error {
	const foreseen = 120 // bytes; an ARN with a long name
	later := map[string]string{}
	for name := range a.Variables {
		later[name] = strings.Repeat("x", foreseen)
	}
	if a.Bundle == nil {
		a.Bundle = &bundle.Bundle{}
	}
	_, err := a.text(strings.Repeat("x", maxBucketName), later)
	return err
}

// maxBucketName is the length of the longest name of a bucket. Source: Amazon S3 User Guide, "Bucket naming rules".
const maxBucketName = 63

// text is the user data, once AWS has told the bucket and the values of the variables.
func (a Args) text(bucket string, variables map[string]string) (string, error) {
	facts := a.ownFacts()
	maps.Copy(facts, a.Facts)
	for name, value := range variables {
		facts[name] = value
	}
	node, err := nodeJSON(facts)
	if err != nil {
		return "", fmt.Errorf("write the facts of a node: %w", err)
	}
	agent, install := userdata.SSMAgent(a.Region)
	const script = "/usr/local/sbin/calldata-boot"
	var keys []string
	if a.SSHPublicKey != "" {
		keys = append(keys, a.SSHPublicKey)
	}
	return userdata.Config{
		Base: base, AuthorizedKeys: keys,
		Files: []userdata.File{
			{Path: "/etc/calldata/node.json", Mode: "0644", Content: node},
			{Path: "/etc/calldata/boot.env", Mode: "0644", Content: shellSettings([][2]string{
				{"CALLDATA_GROUP", a.group()}, {"CALLDATA_HOOK", BootHook}, {"CALLDATA_BOOT_SECONDS", fmt.Sprint(int(a.BootTimeout / time.Second))},
				{"CALLDATA_POOL", a.AddressPool}, {"CALLDATA_BUCKET", bucket}, {"CALLDATA_KEY", a.Bundle.Key}, {"CALLDATA_SHA256", a.Bundle.SHA256},
				{"CALLDATA_PLAYBOOK", a.Playbook},
			})},
			agent,
			{Path: script, Mode: "0755", Content: bootScript},
		},
		Commands: [][]string{install, {script}},
	}.Text()
}

// nodeJSON has each fact on a line of its own: whole indentation would take too much of what EC2 takes.
func nodeJSON(facts map[string]any) (string, error) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		value, err := json.Marshal(facts[name])
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		lines = append(lines, fmt.Sprintf("  %q: %s", name, value))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n}\n", nil
}

// shellSettings are assignments for a shell, whatever the values hold.
func shellSettings(settings [][2]string) string {
	var out strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&out, "%s='%s'\n", s[0], strings.ReplaceAll(s[1], "'", `'\''`))
	}
	return out.String()
}
