package dashboard

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/svg"
	"github.com/calldata/calldata-foundation/stacks"
)

var update = flag.Bool("update", false, "write the pictures anew")

// load answers a stack of this project with examples and changes, and its dashboards.
func load(t *testing.T, stack string, set ...string) (stacks.Topology, []dashboards.Dashboard) {
	t.Helper()
	topology, _, err := (&stackarg.Source{Stack: stack, Dir: "../../..", Examples: true, Set: set}).Load()
	require.NoError(t, err)
	made, err := (&Options{}).made(topology)
	require.NoError(t, err)
	return topology, made
}

// TestGoldenPicture keeps the picture in docs equal to the default stack.
func TestGoldenPicture(t *testing.T) {
	t.Parallel()
	want := picture(load(t, "stage"))
	file := "../../../docs/diagrams/stage-dashboards.svg"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, want == string(got), "%s is not current: run `make golden`", file) //nolint:testifylint // the difference of two pictures is unreadable
}

// command runs `calldata dashboard`.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := NewCmdDashboard(&cli.IO{Out: &out, Err: io.Discard})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

func TestPreview(t *testing.T) {
	t.Parallel()
	text, err := command(t, "preview", "prod", "--examples")
	require.NoError(t, err)
	for _, name := range []string{"prod-overview", "prod-sip-edge", "prod-engine", "prod-database", "prod-fleet"} {
		assert.Regexp(t, "(?m)^"+name+` +\d+ +\d+$`, text)
	}
	assert.Contains(t, text, "Example values: ")
	assert.NotContains(t, text, "deployed without")
	text, err = command(t, "preview", "dev", "--examples")
	require.NoError(t, err)
	assert.Contains(t, text, "dev is deployed without them")

	text, err = command(t, "preview", "stage", "engine", "--examples", "--json")
	require.NoError(t, err)
	var said struct {
		Stack      string
		Deployed   bool
		Dashboards []struct {
			Name             string
			Widgets, Metrics int
			Body             json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &said))
	require.Len(t, said.Dashboards, 1)
	assert.True(t, said.Deployed)
	assert.Equal(t, "stage-engine", said.Dashboards[0].Name)
	assert.Positive(t, said.Dashboards[0].Metrics)
	body := &bytes.Buffer{}
	require.NoError(t, json.Compact(body, said.Dashboards[0].Body))
	assert.Contains(t, body.String(), `["CallData","MemoryUsed","InstanceId","stage-uc-1","Role","uc-engine",{"label":"stage-uc-1","stat":"Maximum","period":60}]`)
}

func TestPictures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stage.svg")
	text, err := command(t, "preview", "stage", "stage-database", "--examples", "--out", file)
	require.NoError(t, err)
	assert.Contains(t, text, "stage-database")
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(written), "Free storage")
	assert.NotContains(t, string(written), ">stage-engine<")
	text, err = command(t, "preview", "stage", "database", "--examples", "--out", "-")
	require.NoError(t, err)
	assert.Equal(t, string(written), text, "the same settings make the same picture")
}

func TestWrongInput(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"want the name of one stack": {"preview"},
		"got 3 arguments":            {"preview", "prod", "overview", "more"},
		`prod has no dashboard "nope", it has prod-overview, prod-sip-edge, prod-engine, prod-database, prod-fleet`: {"preview", "prod", "nope", "--examples"},
		"account is an account's stack":              {"preview", "account", "--examples"},
		"dev has no alarms, and so no dashboards":    {"preview", "dev", "--examples", "--set", "alarms=none"},
		`--out is "x.png": want a name that ends in`: {"preview", "dev", "--examples", "--out", "x.png"},
		"--out - and --json both print":              {"preview", "dev", "--examples", "--out", "-", "--json"},
		"adminCidrs":                                 {"preview", "dev", "--out", "x.png"},
		"write the picture":                          {"preview", "dev", "--examples", "--out", filepath.Join(t.TempDir(), "none", "x.svg")},
	} {
		_, err := command(t, args...)
		require.ErrorContains(t, err, want)
		if want != "write the picture" {
			assert.Equal(t, cli.ExitUsage, cli.Code(err), args)
		}
	}
	_, err := command(t, "preview", "dev", "--out", "x.png")
	require.ErrorContains(t, err, "x.png", "every mistake at once")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	o := &Options{Source: stackarg.Source{Dir: "../../.."}}
	names, _ := o.complete(nil, nil, "")
	assert.Contains(t, names, "prod")
	names, _ = o.complete(nil, []string{"stage"}, "")
	assert.Equal(t, []string{"overview", "sip-edge", "engine", "database"}, names)
	names, _ = o.complete(nil, []string{"nope"}, "")
	assert.Empty(t, names)
}

// TestPicturesHold looks at many shapes: everything has its place, and nothing of it is lost.
func TestPicturesHold(t *testing.T) {
	t.Parallel()
	for _, shape := range [][]string{
		{"dev"}, {"dev", "c4=true"}, {"dev", "alarms=pages", "businessHours=8-18"}, {"stage"}, {"stage", `sipEdges=["carriers"]`}, {"stage", "alarms=few"}, {"prod"},
	} {
		topology, made := load(t, shape[0], shape[1:]...)
		drawn := picture(topology, made)
		wellFormed(t, drawn)
		assert.NotContains(t, drawn, "NaN", shape)
		assert.NotContains(t, drawn, "Inf", shape)
		for _, d := range made {
			for _, w := range d.Body.Widgets {
				p := w.Properties
				assert.Contains(t, drawn, svg.Escape(p.Title), "%v: %s", shape, d.Name)
				if p.Annotations == nil {
					continue
				}
				for _, line := range p.Annotations.Horizontal {
					assert.Contains(t, drawn, svg.Escape(line.Label), "%v: %s", shape, d.Name)
				}
			}
		}
	}
}

func wellFormed(t *testing.T, drawn string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(drawn))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			require.NoError(t, err)
		}
	}
}

// A sample is on the good side of every threshold, whatever there is.
func TestSamplesAreHealthy(t *testing.T) {
	t.Parallel()
	_, made := load(t, "prod", "businessHours=8-18")
	looked := 0
	for _, d := range made {
		for _, w := range d.Body.Widgets {
			p := w.Properties
			if p.Annotations == nil {
				continue
			}
			for _, name := range lines(p) {
				for _, v := range sample(p.Title+name, healthy(p)) {
					for _, line := range p.Annotations.Horizontal {
						looked++
						if line.Fill == "above" {
							assert.LessOrEqual(t, v, line.Value, "%s: %s", p.Title, line.Label)
						} else {
							assert.GreaterOrEqual(t, v, line.Value, "%s: %s", p.Title, line.Label)
						}
					}
				}
			}
		}
	}
	assert.Greater(t, looked, 1000)
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for reach, want := range map[float64]string{100: "25", 1: "0.25", 7: "2", 93.5: "25", 1100: "500", 40: "10"} {
		assert.Equal(t, want, fmt.Sprint(tick(reach)), reach)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"a b", "c"}, wrap("a b c", svg.Width("a b")))
	assert.Equal(t, "abc", fit("abc", 100))
	assert.Equal(t, "ab…", fit("abcdef", svg.Width("abc")))
	assert.Equal(t, "3 hours", startOf(dashboards.Properties{}, "-PT3H"))
	assert.Equal(t, "30 days", startOf(dashboards.Properties{Start: "-P30D"}, "-PT3H"))
}
