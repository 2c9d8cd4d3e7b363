// Package version is `calldata version`: which calldata this is.
package version

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// The Makefile sets these with -ldflags -X. Where they are empty, what the compiler noted of itself counts.
var (
	// number is the version of the last tag, for example "v1.2.0"; with commits since then, how many: "v1.2.0-3-gabc1234".
	number string
	// commit is the Git commit, with "-dirty" behind it where files were changed.
	commit string
)

// unknown is a fact that nobody noted when the program was built.
const unknown = "unknown"

// Info is what a build knows of itself.
type Info struct {
	// Version is the nearest tag, or "devel".
	Version string `json:"version"`
	// Commit is the Git commit, or "unknown".
	Commit string `json:"commit"`
	// Go is the compiler's version, Platform the operating system and the architecture.
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get answers what is known of this build.
func Get() Info {
	build, _ := debug.ReadBuildInfo()
	return from(build)
}

func from(build *debug.BuildInfo) Info {
	info := Info{Version: number, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build != nil {
		if info.Version == "" && build.Main.Version != "(devel)" {
			info.Version = build.Main.Version
		}
		if info.Commit == "" {
			info.Commit = revision(build.Settings)
		}
	}
	info.Version, info.Commit = cmp.Or(info.Version, "devel"), cmp.Or(info.Commit, unknown)
	return info
}

// revision is the commit as the go command notes it with -buildvcs.
func revision(settings []debug.BuildSetting) string {
	known := map[string]string{}
	for _, s := range settings {
		known[s.Key] = s.Value
	}
	if known["vcs.revision"] != "" && known["vcs.modified"] == "true" {
		return known["vcs.revision"] + "-dirty"
	}
	return known["vcs.revision"]
}

// String is one line for a person.
func (i Info) String() string {
	return fmt.Sprintf("calldata %s, commit %s, %s, %s", i.Version, i.Commit, i.Go, i.Platform)
}

// NewCmdVersion makes the command.
func NewCmdVersion(streams *cli.IO) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Print the version of this program, the Git commit that it was built from, and the compiler. A commit with "-dirty" had
changed files.

Exit codes: 0 done.`,
		Example: `  calldata version
  calldata version --json | jq -r .commit`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := Get()
			return streams.Print(asJSON, info, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, info)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}
