package automation

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The forms of a checkpoint that Pulumi 3.258 and later write. Older forms belong to a Pulumi of 2019.
// Source: pulumi/sdk v3.259.0, go/common/apitype, DeploymentSchemaVersionCurrent and DeploymentSchemaVersionLatest.
const oldestForm, newestForm = 3, 4

// Checkpoint is a file that the backend keeps: a state, and the form that it is in.
type Checkpoint struct {
	State

	form     int
	features []string
}

// ParseCheckpoint reads a file of the backend, compressed or not. The error says in what it is damaged, and quotes nothing; the
// checkpoint has then the resources that can still be read.
func ParseCheckpoint(data []byte) (Checkpoint, error) {
	var file apitype.VersionedCheckpoint
	if err := encoding.Compress(encoding.JSON, encoding.DetectCompression(data)).Unmarshal(data, &file); err != nil {
		return Checkpoint{State: State{Resources: salvage(data)}}, unreadable(err)
	}
	if file.Version < oldestForm || file.Version > newestForm {
		return Checkpoint{}, fmt.Errorf("it is no checkpoint in a form that is known: its version is %d, want %d or %d", file.Version, oldestForm, newestForm)
	}
	var checkpoint struct{ Latest json.RawMessage }
	if err := json.Unmarshal(file.Checkpoint, &checkpoint); err != nil {
		return Checkpoint{State: State{Resources: salvage(data)}}, unreadable(err)
	}
	state, err := ParseState(checkpoint.Latest)
	if err != nil {
		return Checkpoint{State: State{Resources: salvage(data)}}, unreadable(err)
	}
	return Checkpoint{State: state, form: file.Version, features: file.Features}, state.Check()
}

// unreadable is a parser's error without the value that it stumbled over, which may be secret.
func unreadable(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s is no %s", kind.Field, kind.Type)
	}
	return fmt.Errorf("it cannot be read: %w", err)
}

// salvage answers the resources before the place at which a file is damaged.
func salvage(data []byte) []apitype.ResourceV3 {
	if encoding.DetectCompression(data) == encoding.CompressionGzip {
		if unpacked, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			data, _ = io.ReadAll(unpacked) // all that is before the damage
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for last := json.Token(nil); ; {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if last == "resources" && token == json.Delim('[') {
			break
		}
		last = token
	}
	var found []apitype.ResourceV3
	for decoder.More() {
		var r apitype.ResourceV3
		if decoder.Decode(&r) != nil {
			break
		}
		found = append(found, r)
	}
	return found
}

// Check says where a state contradicts itself: Pulumi refuses to work with such a one.
// Source: pulumi/pulumi v3.259.0, pkg/resource/stack/snapshot, VerifyIntegrity.
func (s State) Check() error {
	seen := map[resource.URN]int{} // how often, without what is about to be deleted
	providers := map[string]bool{}
	for i, r := range s.Resources {
		name := Name(string(r.URN))
		if r.URN == "" || r.Type == "" {
			return fmt.Errorf("resource %d has no name or no type", i)
		}
		if !r.Custom && r.ID != "" {
			return fmt.Errorf("%s is a component and has an ID", name)
		}
		needs := append([]resource.URN{r.Parent, r.DeletedWith}, r.Dependencies...)
		for _, urns := range r.PropertyDependencies {
			needs = append(needs, urns...)
		}
		for _, urn := range needs {
			if _, ok := seen[urn]; urn != "" && !ok {
				return fmt.Errorf("%s needs %s, which is not before it", name, Name(string(urn)))
			}
		}
		if r.Provider != "" && !providers[r.Provider] && !r.PendingReplacement {
			return fmt.Errorf("%s has a provider that is not before it", name)
		}
		if isProvider(r) {
			providers[string(r.URN)+"::"+string(r.ID)] = true
		}
		count := 1
		if r.Delete {
			count = 0
		}
		if seen[r.URN] += count; seen[r.URN] > 1 {
			return fmt.Errorf("%s is there twice", name)
		}
	}
	return nil
}

func isProvider(r apitype.ResourceV3) bool {
	return strings.HasPrefix(string(r.Type), "pulumi:providers:")
}

// Unknown are the resources of s that exist somewhere, and of which other does not know.
func (s State) Unknown(other State) []apitype.ResourceV3 {
	type key struct {
		urn resource.URN
		id  resource.ID
	}
	known := map[key]bool{}
	for _, r := range other.Resources {
		known[key{r.URN, r.ID}] = true
	}
	return slices.DeleteFunc(slices.Clone(s.Resources), func(r apitype.ResourceV3) bool {
		return !r.Custom || r.ID == "" || r.External || r.ViewOf != "" || isProvider(r) || known[key{r.URN, r.ID}]
	})
}

// Import makes a checkpoint the state of a stack that the backend knows, whatever its state is now. Pulumi checks it, and takes the
// stack's lock; IsLocked tells whether another operation has that.
func Import(ctx context.Context, dir, stack string, c Checkpoint) error {
	pulumi, err := Operator()
	if err != nil {
		return err
	}
	ws, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(dir), auto.Pulumi(pulumi))
	if err != nil {
		return err
	}
	return firstDiagnostic(ws.ImportStack(ctx, stack, apitype.UntypedDeployment{Version: c.form, Features: c.features, Deployment: c.Raw}))
}
