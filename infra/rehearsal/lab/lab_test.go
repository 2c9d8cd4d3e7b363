package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
)

const two = `
machines:
  - {name: sbc, address: 10.42.7.11, groups: [c4_sbc_host], public: 198.51.100.20, vars: {colour: blue}}
  - {name: router, address: 10.42.7.12, groups: [c4_router_host]}
outside: [198.51.100.10/24]
doubles: true
`

func read(t *testing.T, text string) (Spec, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "machines.yml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return ReadSpec(file)
}

func TestSpecTellsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := read(t, `
machines:
  - {name: One, address: 10.0.0.2, groups: [C4], public: 192.0.2.9}
  - {name: two, address: 203.0.113.9}
  - {name: two, address: 10.0.0.7, public: 203.0.113.1}
  - {name: three, address: 10.0.0.7}
`)
	for _, want := range []string{
		`machines[0].name is "One"`, `machines[0].address is 10.0.0.2: the first addresses`, `machines[0].groups has "C4"`, `machines[0].public is 192.0.2.9`,
		`machines[1].address is 203.0.113.9: want a private`, `machines[2].name two is there twice`, `machines[2].public is 203.0.113.1: want a free`,
		`machines[3].address 10.0.0.7 is there twice`,
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = read(t, "machines: []")
	assert.ErrorContains(t, err, "machines is empty")
	_, err = read(t, "machine: []")
	assert.ErrorContains(t, err, "field machine not found")
}

func TestInventory(t *testing.T) {
	t.Parallel()
	s, err := read(t, two)
	require.NoError(t, err)
	got, err := s.inventory()
	require.NoError(t, err)
	assert.YAMLEq(t, `
all:
  hosts:
    sbc: {ansible_host: 10.42.7.11, ansible_user: admin, private_ip: 10.42.7.11, public_ip: 198.51.100.20, colour: blue}
    router: {ansible_host: 10.42.7.12, ansible_user: admin, private_ip: 10.42.7.12, public_ip: ""}
  children:
    c4_sbc_host: {hosts: {sbc: }}
    c4_router_host: {hosts: {router: }}
`, string(got))
}

func TestRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("boots machines")
	}
	if missing := machines.Preflight(); len(missing) > 0 {
		t.Skipf("this host cannot run machines: %v", missing)
	}
	s, err := read(t, two)
	require.NoError(t, err)
	root, err := cache.Default()
	require.NoError(t, err)
	repo, err := filepath.Abs("../../..")
	require.NoError(t, err)
	o := Options{Spec: s, Name: fmt.Sprintf("test-%d", os.Getpid()), Repo: repo, CacheDir: root, Progress: progress.Discard}

	var out bytes.Buffer
	o.Stdout, o.Stderr = &out, &out
	// The Elastic IP leads to the machine, from the address of the outside world that was asked for.
	o.Command = []string{"sh", "-c", `ansible all -m command -a hostname && ansible localhost -m include_role -a name=wazo-vars && ssh -i "$SSH_KEY" -b 198.51.100.10 -o UserKnownHostsFile="$KNOWN_HOSTS" admin@198.51.100.20 'echo $SSH_CLIENT'; exit 7`}
	err = Run(t.Context(), o)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, out.String())
	assert.Equal(t, 7, exit.ExitCode())
	assert.Contains(t, out.String(), "sbc | CHANGED")
	assert.Contains(t, out.String(), "198.51.100.10 ")

	ctx, cancel := context.WithCancel(t.Context())
	o.Command = []string{"sleep", "600"}
	o.Hold = func([]string) { require.Error(t, ctx.Err()) }
	o.Stdout = nil
	go func() {
		assert.Eventually(t, func() bool { return exec.Command("pgrep", "-fx", "sleep 600").Run() == nil }, bootTimeout, bootTimeout/100)
		assert.ErrorContains(t, Run(context.Background(), o), "in use by another run")
		cancel()
	}()
	require.Error(t, Run(ctx, o))

	left, err := machines.Leftovers("cd-lab-" + o.Name)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NoDirExists(t, machines.StateDir("cd-lab-"+o.Name))
	assert.Equal(t, netip.MustParseAddr("198.51.100.20"), s.Machines[0].Public)
}
