package topology

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
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/svg"
	"github.com/calldata/calldata-foundation/stacks"
)

var update = flag.Bool("update", false, "write the diagrams anew")

// load answers a stack of this project with examples and changes.
func load(t *testing.T, stack string, set ...string) stacks.Topology {
	t.Helper()
	topology, _, err := (&stackarg.Source{Stack: stack, Dir: "../../..", Examples: true, Set: set}).Load()
	require.NoError(t, err)
	return topology
}

// TestGoldenDiagrams keeps the diagrams in docs equal to the default stacks.
func TestGoldenDiagrams(t *testing.T) {
	t.Parallel()
	for _, stack := range stacks.Topologies() {
		p := draw(load(t, stack))
		for ending, want := range map[string]string{".svg": p.svg(), ".mmd": p.mermaid()} {
			file := filepath.Join("../../../docs/diagrams", stack+ending)
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
				require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
			}
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, want, string(got), "%s is not current: run `make golden`", file)
		}
	}
}

// command runs `calldata topology`.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := NewCmdTopology(&cli.IO{Out: &out, Err: io.Discard})
	cmd.SetArgs(append([]string{}, args...)) // nil would be those of the test
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

func TestCommand(t *testing.T) {
	t.Parallel()
	text, err := command(t, "prod", "--examples")
	require.NoError(t, err)
	for _, want := range []string{"network prod-vpc 10.40.0.0/16, NAT one-per-az", "prod-uc-2", "prod-c4-sbc", "2 to 6", "web prod-web: https://voice.example.com",
		"phones by address yes as sip.voice.example.com", "standby in another zone yes", "encryption keys: volumes", "backups"} {
		assert.Contains(t, text, want)
	}
	assert.Regexp(t, `carriers +nlb +udp 5060, tcp 5060, tcp 5061 +198\.51\.100\.0/24`, text)
	text, err = command(t, "account", "--examples")
	require.NoError(t, err)
	assert.Regexp(t, `stage +300 USD a month`, text)

	text, err = command(t, "stage", "--examples", "--json")
	require.NoError(t, err)
	var said struct {
		Stack   string
		Nodes   []stacks.NodeSpec
		Traffic []Link
	}
	require.NoError(t, json.Unmarshal([]byte(text), &said))
	assert.Equal(t, "stage", said.Stack)
	assert.Len(t, said.Nodes, 3)
	assert.Contains(t, said.Traffic, Link{From: "c4-router", To: "database", Ports: []string{"tcp 5432"}})

	text, err = command(t, "dev", "--examples", "--svg")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(text, "<svg "))
	text, err = command(t, "dev", "--examples", "--mermaid")
	require.NoError(t, err)
	assert.Contains(t, text, "flowchart TB")

	for _, args := range [][]string{{}, {"dev", "--svg", "--json", "--examples"}, {"nope"}, {"prod", "--set", "domain="}} {
		_, err := command(t, args...)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), args)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	links := Links(load(t, "dev", `adminCidrs=["203.0.113.0/24","198.51.100.7/32"]`))
	assert.Contains(t, links, Link{From: "admin", To: "uc-engine", Ranges: []string{"203.0.113.0/24", "198.51.100.7/32"}, Ports: []string{"tcp 22", "tcp 80", "tcp 443", "icmp type 8"}})
	links = Links(load(t, "prod"))
	assert.Contains(t, links, Link{From: inside, To: "endpoints", Ranges: []string{"10.40.0.0/16"}, Ports: []string{"tcp 443"}})
	for _, l := range links {
		assert.NotContains(t, []string{"admin", string(ports.Public)}, l.From, "nobody logs in to prod from outside")
	}
	assert.Empty(t, Links(load(t, "account")))
}

// TestOneMachineForAllRoles draws groups that share a machine as one.
func TestOneMachineForAllRoles(t *testing.T) {
	t.Parallel()
	top := load(t, "dev", "c4=true")
	top.Nodes = top.Nodes[:1]
	top.Nodes[0].Roles = stacks.AllRoles()
	p := draw(top)
	require.Len(t, p.rows, 1)
	require.Len(t, p.rows[0].lanes, 1)
	for _, l := range p.links {
		assert.Equal(t, "uc-engine", l.To)
		assert.NotEqual(t, l.From, l.To)
	}
	assert.Contains(t, p.svg(), "also c4-router, c4-sbc, prometheus")
}

// TestPicturesHold looks at the layout of many shapes.
func TestPicturesHold(t *testing.T) {
	t.Parallel()
	for _, shape := range [][]string{
		{"dev"}, {"dev", "c4=true"}, {"dev", `zones=["us-east-1a","us-east-1b","us-east-1c"]`}, {"dev", "ssmEndpoints=true"},
		{"stage"}, {"stage", `sipEdges=["carriers","phones"]`}, {"stage", `sipEdges=["carriers"]`, "nat=one-per-az", "waf=true", "ssmEndpoints=true"},
		{"prod"}, {"prod", `zones=["us-east-1a","us-east-1b"]`}, {"prod", `domain=a-very-long-name-indeed.of-a-very-long-domain.example.com`},
		{"account"}, {"account", `accountPartsOff=["github","config","cloudtrail"]`},
		{"prod", `carrierCidrs=["198.51.100.0/24","192.0.2.0/28","203.0.113.4/32"]`},
	} {
		d := &drawing{picture: draw(load(t, shape[0], shape[1:]...)), y: map[string]span{}}
		d.layout()
		drawn := d.render()
		wellFormed(t, drawn)
		below := 0
		for _, r := range d.rows {
			for _, l := range r.lanes {
				at := d.y[l.id]
				assert.GreaterOrEqual(t, at.top, below, "%v: lane %s overlaps the one above", shape, l.id)
				below = at.bottom
				assert.GreaterOrEqual(t, at.bottom-at.top, laneHead+d.boxesHeight(l), "%v: the boxes of %s fit", shape, l.id)
				for _, b := range l.boxes {
					room := d.column - 4*gap - 2*padding
					if b.column < 0 {
						room = d.laneX[1] - d.laneX[0] - 2*gap - 2*padding
					}
					for _, text := range append([]string{b.title}, b.lines...) {
						assert.LessOrEqual(t, svg.Width(text), room, "%v: %q", shape, text)
					}
				}
			}
		}
		channels, ends := map[string]bool{}, map[string]bool{}
		for _, w := range d.wires {
			assert.Contains(t, drawn, svg.Escape(fmt.Sprintf("%d. %s to ", w.number, d.name(w.From))), shape)
			once(t, channels, fmt.Sprint(w.outer, w.channel))
			once(t, ends, fmt.Sprint(w.outer, w.To, w.toSlot))
			assert.Greater(t, w.toSlot, d.y[w.To].top, "%v: line %d", shape, w.number)
			assert.Less(t, w.toSlot, d.y[w.To].bottom, "%v: line %d", shape, w.number)
			if !w.outer {
				once(t, ends, fmt.Sprint(w.outer, w.From, w.fromSlot))
				assert.Less(t, w.fromSlot, d.y[w.From].bottom, "%v: line %d", shape, w.number)
			}
		}
		if len(d.actors) > 0 {
			assert.LessOrEqual(t, d.actorX(len(d.actors)-1)+d.actorWidth, d.width, "%v: everybody is in the picture", shape)
		}
		for _, l := range d.links {
			assert.Contains(t, drawn, svg.Escape(strings.Join(l.Ports, ", ")), "%v: the legend has every link", shape)
		}
	}
}

func once(t *testing.T, seen map[string]bool, key string) {
	t.Helper()
	assert.False(t, seen[key], "%s is there twice", key)
	seen[key] = true
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

// TestMermaidIsSound checks the lines of the language that we use.
func TestMermaidIsSound(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`^(%%.*|flowchart TB| *subgraph \w+ \["[^"]*"\]| *end| *n_\w+\(\["[^"]*"\]\)| *n_\w+\["[^"]*"\]| *\w+ -->\|"[^"]*"\| n_\w+)$`)
	for _, stack := range stacks.Topologies() {
		text := draw(load(t, stack)).mermaid()
		defined := map[string]bool{"frame": true}
		for l := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			assert.Regexp(t, line, l)
			if id := regexp.MustCompile(`^ *(n_\w+)[\[(]`).FindStringSubmatch(l); id != nil {
				once(t, defined, id[1])
			}
			if ends := regexp.MustCompile(`(\w+) -->\|.*\| (\w+)$`).FindStringSubmatch(l); ends != nil {
				assert.True(t, defined[ends[1]] && defined[ends[2]], l)
			}
		}
	}
	assert.Equal(t, `"a 'b'<br/>c"`, mermaidText(`a "b"`, "c"))
}
