package wazofleet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// cloud plays AWS for machines that boot: a bucket and a pool of addresses.
type cloud struct {
	t   *testing.T
	dir string
}

func newCloud(t *testing.T, addresses ...string) cloud {
	c := cloud{t, t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(c.dir, "taken"), 0o700))
	c.put("pool", strings.Join(addresses, "\n"))
	return c
}

func (c cloud) put(name, text string) {
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
}

// awsTool answers from the cloud's directory. An address is taken by making its directory, which only one can.
const awsTool = `#!/bin/bash
echo "aws $*" >>"$CALLDATA_ROOT/calls"
last=${*: -1}
case "$*" in
  *complete-lifecycle-action*) [ ! -e "$CLOUD/complete-fails" ] ;;
  *record-lifecycle-action-heartbeat*) ;;
  "s3api get-object --bucket artifacts --key bundles/"*) cp "$CLOUD/bundle" "$last" 2>/dev/null || { echo NoSuchKey >&2; exit 254; } ;;
  *describe-instances*"--instance-ids $ME"*) if [ -e "$CLOUD/service" ]; then echo "$(<"$CLOUD/service")"; else echo None; fi ;;
  *describe-addresses*instance-id*) grep -ls "$ME" "$CLOUD"/taken/*/by | sed 's,.*taken/,,; s,/by,,' ;;
  *describe-addresses*allocation-ids*) echo 203.0.113.10 ;;
  *describe-addresses*tag:Pool,Values=stage-sbc*) [ ! -e "$CLOUD/deaf" ] || exit 255
    tr '\n' '\t' <"$CLOUD/pool" ;;
  *associate-address*--no-allow-reassociation)
    address=$(sed 's/.*--allocation-id \([^ ]*\).*/\1/' <<<"$*")
    mkdir "$CLOUD/taken/$address" 2>/dev/null || { echo Resource.AlreadyAssociated >&2; exit 254; }
    echo "$ME" >"$CLOUD/taken/$address/by" ;;
  *) echo "aws: unexpected: $*" >&2; exit 2 ;;
esac
`

const curlTool = `#!/bin/bash
[ ! -e "$CALLDATA_ROOT/no-metadata" ] || exit 28
case "$*" in
  *"-X PUT"*/latest/api/token) echo token ;;
  *"X-aws-ec2-metadata-token: token"*/instance-id) echo "$ME" ;;
  *"X-aws-ec2-metadata-token: token"*/placement/region) echo us-east-1 ;;
  *"X-aws-ec2-metadata-token: token"*/placement/availability-zone) echo us-east-1b ;;
  *"X-aws-ec2-metadata-token: token"*/local-ipv4) echo 10.20.0.9 ;;
  *) exit 22 ;;
esac
`

// machine is a directory that plays the system for the boot script.
type machine struct {
	cloud
	root, id string
}

func (c cloud) machine(id string, change func(*Args)) machine {
	m := machine{c, c.t.TempDir(), id}
	for tool, script := range map[string]string{
		"aws": awsTool, "curl": curlTool,
		"apt-get":          "#!/bin/bash\necho \"apt-get $*\" >>\"$CALLDATA_ROOT/calls\"\n[ \"$(grep -c apt-get \"$CALLDATA_ROOT/calls\")\" -gt 1 ] || exit 100\nfor t in aws ansible-playbook; do [ -e \"$CALLDATA_ROOT/tools/$t\" ] || mv \"$CALLDATA_ROOT/later/$t\" \"$CALLDATA_ROOT/tools/$t\"; done\n",
		"hostnamectl":      "#!/bin/bash\necho \"hostnamectl $*\" >>\"$CALLDATA_ROOT/calls\"\n",
		"ansible-playbook": "#!/bin/bash\necho \"ansible-playbook $*\" >>\"$CALLDATA_ROOT/calls\"\npwd >\"$CALLDATA_ROOT/pwd\"\necho \"$ANSIBLE_CONFIG $HOME $LC_ALL\" >\"$CALLDATA_ROOT/env\"\n. ./play.sh\n",
		"sleep":            "#!/bin/bash\nexec /bin/sleep 0.05\n",
	} {
		m.write("tools/"+tool, script, 0o700)
	}
	// Nothing else of this machine can be reached, so that the test is the same everywhere.
	for _, tool := range []string{"bash", "cp", "grep", "gzip", "mkdir", "mv", "rm", "sed", "sha256sum", "shuf", "tar", "tee", "timeout", "tr"} {
		path, err := exec.LookPath(tool)
		require.NoError(c.t, err)
		require.NoError(c.t, os.Symlink(path, filepath.Join(m.root, "tools", tool)))
	}
	a := args()
	a.AddressPool = ""
	a.Bundle.SHA256 = c.hash()
	if change != nil {
		change(&a)
	}
	text, err := a.text("artifacts", map[string]string{"database_host": "db.example"})
	require.NoError(c.t, err)
	for _, f := range cloudConfig(c.t, text)["write_files"].([]any) {
		file := f.(map[string]any)
		m.write(file["path"].(string), file["content"].(string), 0o700)
	}
	return m
}

func (m machine) write(name, text string, mode os.FileMode) {
	path := filepath.Join(m.root, name)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(m.t, os.WriteFile(path, []byte(text), mode))
}

func (m machine) boot(env ...string) (string, error) {
	cmd := exec.Command("/bin/bash", filepath.Join(m.root, "usr/local/sbin/calldata-boot"))
	cmd.Env = []string{"PATH=" + filepath.Join(m.root, "tools"), "CALLDATA_ROOT=" + m.root, "CLOUD=" + m.dir, "ME=" + m.id}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m machine) read(name string) string {
	text, err := os.ReadFile(filepath.Join(m.root, name))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(m.t, err)
	return string(text)
}

// verdicts are the results that the machine told Auto Scaling.
func (m machine) verdicts() []string {
	var found []string
	for _, line := range regexp.MustCompile(`aws autoscaling complete-lifecycle-action (.*)`).FindAllStringSubmatch(m.read("calls"), -1) {
		require.Equal(m.t, "--lifecycle-action-result", strings.Fields(line[1])[0])
		found = append(found, strings.Fields(line[1])[1])
		assert.Contains(m.t, line[1], "--lifecycle-hook-name boot --auto-scaling-group-name stage-c4-sbc --instance-id "+m.id)
	}
	return found
}

// bundle puts an archive into the bucket. play stands for what Ansible does.
func (c cloud) bundle(play string) {
	var out bytes.Buffer
	compress := gzip.NewWriter(&out)
	archive := tar.NewWriter(compress)
	require.NoError(c.t, archive.WriteHeader(&tar.Header{Name: "play.sh", Mode: 0o644, Size: int64(len(play))}))
	_, err := archive.Write([]byte(play))
	require.NoError(c.t, err)
	require.NoError(c.t, archive.Close())
	require.NoError(c.t, compress.Close())
	c.put("bundle", out.String())
}

// hash is that of the archive in the bucket, or of nothing.
func (c cloud) hash() string {
	data, _ := os.ReadFile(filepath.Join(c.dir, "bundle"))
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

const testInstance = "i-0123456789abcdef0"

func TestBootReady(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bundle("sleep 1; sleep 1; sleep 1; sleep 1\n")
	m := c.machine(testInstance, nil)
	out, err := m.boot()
	require.NoError(t, err, out)
	assert.Equal(t, []string{"CONTINUE"}, m.verdicts())
	calls := m.read("calls")
	assert.Contains(t, calls, "hostnamectl set-hostname stage-c4-sbc-0123456789abcdef0\n")
	assert.Contains(t, calls, "record-lifecycle-action-heartbeat", "Auto Scaling is kept waiting")
	assert.NotContains(t, calls, "apt-get", "what is there is not installed")
	assert.NotContains(t, calls, "address")
	assert.NotContains(t, calls, "--endpoint-url")
	content := filepath.Join(m.root, "opt/calldata", c.hash())
	assert.Contains(t, calls, "ansible-playbook --inventory inventories/fleet --extra-vars @"+m.root+"/etc/calldata/node.json --extra-vars @"+m.root+"/etc/calldata/instance.json playbooks/fleet.yml\n")
	assert.Equal(t, content+"\n", m.read("pwd"))
	assert.Equal(t, content+"/ansible.cfg /root C.UTF-8\n", m.read("env"))
	var node, instance map[string]any
	require.NoError(t, json.Unmarshal([]byte(m.read("etc/calldata/node.json")), &node))
	require.NoError(t, json.Unmarshal([]byte(m.read("etc/calldata/instance.json")), &instance))
	assert.Equal(t, map[string]any{
		"calldata_instance_id": testInstance, "calldata_region": "us-east-1", "calldata_zone": "us-east-1b", "calldata_hostname": "stage-c4-sbc-0123456789abcdef0",
		"private_ip": "10.20.0.9", "public_ip": "",
	}, instance)
	assert.Equal(t, map[string]any{
		"calldata_role": "c4-sbc", "calldata_roles": []any{"c4-sbc"}, "calldata_stack": "stage", "calldata_domain": "calldata.internal", "calldata_group": "stage-c4-sbc", "calldata_drain_hook": "drain",
		"calldata_drain_seconds": 7200.0, "calldata_calls_per_node": 200.0, "calldata_metric_namespace": "CallData", "calldata_metric_active_calls": "ActiveCalls",
		"calldata_metric_dimension": "AutoScalingGroupName", "database_host": "db.example",
	}, node)
	assert.Equal(t, out, m.read("var/log/calldata/boot.log"), "what the console shows is in the log")

	// An operator may run it again.
	out, err = m.boot()
	require.NoError(t, err, out)
}

func TestBootInstallsWhatItNeeds(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bundle(":\n")
	m := c.machine(testInstance, nil)
	require.NoError(t, os.Mkdir(filepath.Join(m.root, "later"), 0o700))
	for _, tool := range []string{"aws", "ansible-playbook"} {
		require.NoError(t, os.Rename(filepath.Join(m.root, "tools", tool), filepath.Join(m.root, "later", tool)))
	}
	out, err := m.boot() // apt-get fails the first time
	require.NoError(t, err, out)
	assert.Equal(t, []string{"CONTINUE"}, m.verdicts())
	assert.Regexp(t, `(?s)apt-get .*update.*apt-get .*update.*apt-get .*install awscli ansible\n`, m.read("calls"))
}

func TestBootFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play    string
		change  func(*Args)
		prepare func(cloud, machine)
		want    string
		silent  bool
	}{
		"no bundle":     {prepare: func(c cloud, _ machine) { require.NoError(t, os.Remove(filepath.Join(c.dir, "bundle"))) }, want: "there is no s3://artifacts/bundles/"},
		"wrong hash":    {change: func(a *Args) { a.Bundle.SHA256 = strings.Repeat("0", 64) }, want: "has not the hash"},
		"playbook":      {play: "echo fatal; exit 2\n", want: "the playbook playbooks/fleet.yml failed"},
		"too slow":      {play: "/bin/sleep 30\n", change: func(a *Args) { a.BootTimeout = 2 * time.Second }, want: "took too long"},
		"no addresses":  {change: func(a *Args) { a.AddressPool = "stage-sbc"; a.BootTimeout = 2 * time.Second }, want: "there is no address for this machine"},
		"deaf EC2":      {change: func(a *Args) { a.AddressPool = "stage-sbc"; a.BootTimeout = 2 * time.Second }, prepare: func(c cloud, _ machine) { c.put("deaf", "") }, want: "there is no address"},
		"no metadata":   {prepare: func(_ cloud, m machine) { m.write("no-metadata", "", 0o600) }, want: "the metadata service does not answer", silent: true},
		"broken bundle": {want: "cannot be unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := newCloud(t)
			cl.bundle(c.play)
			if name == "broken bundle" {
				cl.put("bundle", "no archive")
			}
			m := cl.machine(testInstance, c.change)
			if c.prepare != nil {
				c.prepare(cl, m)
			}
			began := time.Now()
			out, err := m.boot()
			require.Error(t, err, out)
			assert.Contains(t, out, c.want)
			assert.Less(t, time.Since(began), 20*time.Second)
			if c.silent {
				assert.Empty(t, m.verdicts(), "a machine that does not know its name cannot speak")
			} else {
				assert.Equal(t, []string{"ABANDON"}, m.verdicts())
			}
			if c.play == "" {
				assert.NotContains(t, m.read("calls"), "ansible-playbook", "nothing of it may be run")
			}
		})
	}
}

func TestBootSaysWhenAutoScalingDoesNotListen(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bundle(":\n")
	c.put("complete-fails", "")
	m := c.machine(testInstance, nil)
	out, err := m.boot()
	require.NoError(t, err, out)
	assert.Len(t, m.verdicts(), 5)
	assert.Contains(t, out, "Auto Scaling did not take that")
}

// Machines that boot together must not get the same address, and none gets two.
func TestBootClaimsAnAddress(t *testing.T) {
	t.Parallel()
	pooled := func(a *Args) { a.AddressPool = "stage-sbc"; a.BootTimeout = 6 * time.Second }
	c := newCloud(t, "eipalloc-1", "eipalloc-2", "eipalloc-3")
	c.bundle(":\n")
	var machines []machine
	for _, id := range []string{"i-a", "i-b", "i-c", "i-d"} {
		machines = append(machines, c.machine(id, pooled))
	}
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() { _, errs[i] = m.boot() })
	}
	all.Wait()
	verdicts := map[string]int{}
	for i, m := range machines {
		require.Len(t, m.verdicts(), 1)
		verdicts[m.verdicts()[0]]++
		if errs[i] == nil {
			assert.Contains(t, m.read("etc/calldata/instance.json"), `"public_ip":"203.0.113.10"`)
		}
	}
	assert.Equal(t, map[string]int{"CONTINUE": 3, "ABANDON": 1}, verdicts)
	holders := map[string]bool{}
	for _, address := range []string{"eipalloc-1", "eipalloc-2", "eipalloc-3"} {
		by, err := os.ReadFile(filepath.Join(c.dir, "taken", address, "by"))
		require.NoError(t, err)
		holders[string(by)] = true
	}
	assert.Len(t, holders, 3)

	// Who holds one keeps it.
	for i, m := range machines {
		if errs[i] != nil {
			continue
		}
		m.write("calls", "", 0o600)
		out, err := m.boot()
		require.NoError(t, err, out)
		assert.NotContains(t, m.read("calls"), "associate-address")
	}
}

// The playbook that machines run must find every fact that it reads, and know every role that a fleet may have.
func TestPlaybookFindsItsFacts(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bundle(":\n")
	m := c.machine(testInstance, nil)
	out, err := m.boot()
	require.NoError(t, err, out)
	given := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(m.read("etc/calldata/node.json")), &given))
	require.NoError(t, json.Unmarshal([]byte(m.read("etc/calldata/instance.json")), &given))
	const content = "../../ansible/"
	for _, name := range []string{"playbooks/fleet.yml", "inventories/fleet/group_vars/all.yml"} {
		text, err := os.ReadFile(content + name)
		require.NoError(t, err)
		facts := regexp.MustCompile(`calldata_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, facts, name)
		for _, fact := range facts {
			assert.Contains(t, given, fact, name)
		}
	}
	var vars struct {
		First []string            `yaml:"fleet_first_roles"`
		Roles map[string][]string `yaml:"fleet_roles"`
		Last  []string            `yaml:"fleet_last_roles"`
	}
	text, err := os.ReadFile(content + "playbooks/vars/fleet.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &vars))
	assert.Len(t, vars.Roles, 2)
	for _, role := range []string{RoleC4SBC, RoleC4Router} {
		require.Contains(t, vars.Roles, role)
		for _, name := range slices.Concat(vars.First, vars.Roles[role], vars.Last) {
			assert.FileExists(t, content+"roles/"+name+"/tasks/main.yml")
		}
	}
}

// A machine that is launched while its fleet stands aside is dark: phones are sent to every address of the pool.
func TestBootAside(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "eipalloc-1")
	c.bundle(":\n")
	c.put("service", "aside")
	m := c.machine(testInstance, func(a *Args) { a.AddressPool = "stage-sbc" })
	out, err := m.boot()
	require.NoError(t, err, out)
	assert.Equal(t, []string{"CONTINUE"}, m.verdicts())
	assert.NotContains(t, m.read("calls"), "associate-address")
	assert.Contains(t, m.read("etc/calldata/instance.json"), `"public_ip":""`)

	t.Log("when it is told to, it takes one, and Auto Scaling is not told again that it is ready")
	out, err = m.boot("CALLDATA_CLAIM=yes")
	require.NoError(t, err, out)
	assert.Contains(t, m.read("etc/calldata/instance.json"), `"public_ip":"203.0.113.10"`)
	assert.Len(t, m.verdicts(), 1)
}
