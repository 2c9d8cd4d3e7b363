package deploy

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/stacks"
)

// Settings answers the configuration that Pulumi hands to this program. The SDK can look a key up but not list the keys,
// so this reads what the SDK reads.
func Settings() (stacks.MapSettings, error) {
	settings := stacks.MapSettings{}
	text := os.Getenv(pulumi.EnvConfig)
	if text == "" {
		return settings, nil
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("read the stack's configuration from %s: want a JSON object of texts", pulumi.EnvConfig) // the value may hold secrets
	}
	return settings, nil
}
