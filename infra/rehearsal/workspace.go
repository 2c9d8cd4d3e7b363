package rehearsal

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Workspace makes a Pulumi project directory at dir that runs binary, the compiled program of the repository at repo,
// with the settings of its Pulumi.<stack>.yaml and overrides on top of them. The program's working directory and the
// content that it hashes are those of the repository; only what names the machine differs.
//
// Compiling the program beforehand keeps its build out of the rehearsal's network, which has no way out.
func Workspace(dir, repo, stack, binary string, overrides map[string]any) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	project, err := readYAML(filepath.Join(repo, "Pulumi.yaml"))
	if err != nil {
		return err
	}
	project["runtime"] = map[string]any{"name": "go", "options": map[string]any{"binary": binary}}
	if err := writeYAML(filepath.Join(dir, "Pulumi.yaml"), project); err != nil {
		return err
	}
	settings, err := readYAML(filepath.Join(repo, "Pulumi."+stack+".yaml"))
	if err != nil {
		return err
	}
	config, _ := settings["config"].(map[string]any)
	merged := map[string]any{}
	maps.Copy(merged, config)
	maps.Copy(merged, overrides)
	if err := writeYAML(filepath.Join(dir, "Pulumi."+stack+".yaml"), map[string]any{"config": merged}); err != nil {
		return err
	}
	// The program writes its archive from the repository's infra, the engine reads it from this directory's.
	if err := os.MkdirAll(filepath.Join(repo, stateDir), 0o750); err != nil {
		return err
	}
	for _, name := range linked {
		link := filepath.Join(dir, name)
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(filepath.Join(repo, name), link); err != nil {
			return err
		}
	}
	return nil
}

// linked is what the workspace shares with the repository: what the program reads, what commands build, and what they leave.
var linked = []string{"infra", "ansible", "components", "stacks", "go.mod", "go.sum", stateDir}

// stateDir is what commands leave in a clone.
const stateDir = ".calldata"

// EmulatorSettings are the settings that point the AWS provider at an emulator. Two retries: what an emulator lacks
// answers 500, and the default of 25 would hang for minutes.
func EmulatorSettings() map[string]any {
	return map[string]any{
		"aws:skipCredentialsValidation": "true",
		"aws:skipMetadataApiCheck":      "true",
		"aws:s3UsePathStyle":            "true",
		"aws:maxRetries":                "2",
	}
}

func readYAML(path string) (map[string]any, error) {
	data, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := yaml.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

func writeYAML(path string, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
