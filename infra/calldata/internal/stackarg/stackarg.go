// Package stackarg is the argument of commands that work on a stack's settings alone: which stack, with which changes.
package stackarg

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Source says which stack, and what to change about its settings. Its errors are usage errors (cli.ExitUsage).
type Source struct {
	// Stack is the stack's name.
	Stack string
	// Dir is a directory inside the project. Default: the working directory.
	Dir string
	// Set are settings that override the files', each "name=value".
	Set []string
	// Examples gives example values to the settings that have no default and are not set.
	Examples bool
}

// AddFlags binds --set and --examples.
func (s *Source) AddFlags(flags *pflag.FlagSet) {
	s.AddSetFlag(flags)
	flags.BoolVar(&s.Examples, "examples", false, "use example values for settings that have no default and are not set, such as domain")
}

// AddSetFlag binds --set alone, for commands to which examples mean nothing.
func (s *Source) AddSetFlag(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.Set, "set", nil, "what if: use this value instead of the stack's, as NAME=VALUE; a list is JSON (may be repeated)")
}

// Args wants one stack's name and binds it.
func (s *Source) Args(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.UsageErrorf("want the name of one stack, for example dev, got %d arguments", len(args))
	}
	s.Stack = args[0]
	return nil
}

// Complete offers the project's stacks to a shell.
func (s *Source) Complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	root, err := repo.Find(s.dir())
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := stackfile.Stacks(root)
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (s *Source) dir() string {
	if s.Dir == "" {
		return "."
	}
	return s.Dir
}

// File reads the stack's settings, with the changes. Filled are the settings that have example values now.
func (s *Source) File() (file *stackfile.File, filled []string, err error) {
	root, err := repo.Find(s.dir())
	if err != nil {
		return nil, nil, err
	}
	file, err = stackfile.Read(root, s.Stack)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	var errs []error
	for _, assignment := range s.Set {
		if err := file.Override(assignment); err != nil {
			errs = append(errs, fmt.Errorf("--set: %w", err))
		}
	}
	if s.Examples {
		filled = file.FillExamples()
	}
	return file, filled, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// Topology answers what the settings come to. Errors name every wrong setting.
func Topology(file *stackfile.File) (stacks.Topology, error) {
	config, err := stacks.ReadConfig(file.Stack, file)
	if err != nil {
		return stacks.Topology{}, cli.WithCode(cli.ExitUsage, err)
	}
	t, err := stacks.New(file.Stack, config)
	return t, cli.WithCode(cli.ExitUsage, err)
}

// Load answers the topology, and the settings that have example values.
func (s *Source) Load() (stacks.Topology, []string, error) {
	file, filled, err := s.File()
	if err != nil {
		return stacks.Topology{}, nil, err
	}
	t, err := Topology(file)
	if err != nil && !s.Examples {
		err = cli.WithCode(cli.ExitUsage, fmt.Errorf("%w\n(--examples goes on with example values where a setting is only missing)", err))
	}
	return t, filled, err
}
