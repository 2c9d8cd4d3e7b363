package ansible

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/stacks"
)

func TestContentHash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string, mode os.FileMode) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), mode))
		require.NoError(t, os.Chmod(file, mode))
	}
	hash := func() string {
		h, err := ContentHash(dir, "dev")
		require.NoError(t, err)
		return h
	}
	put("playbooks/site.yml", "a", 0o644)
	put("roles/r/files/run", "b", 0o755)
	first := hash()
	assert.Len(t, first, 64)
	assert.Equal(t, "0fd806f1", first[:8], "the hash is the same on every machine")

	for _, name := range []string{
		"x.go", "README.md", "roles/r/README.md", "roles/r/tests/test_x.py", "testdata/x", "__pycache__/x.pyc", ".ansible/x", "site.yml~", ".site.yml.swp",
		".vault-pass", "vault-password.txt", "site.retry", "inventories/dev/hosts.generated.yml", ".idea/x", "known_hosts", "inventories/dev/routing.yml", "inventories/dev/tenant.yml",
	} {
		put(name, "x", 0o644)
		assert.Equal(t, first, hash(), name)
	}
	put("playbooks/site.yml", "a", 0o600)
	assert.Equal(t, first, hash(), "a umask is not content")

	seen := map[string]string{first: "the tree"}
	for what, change := range map[string]func(){
		"content":           func() { put("playbooks/site.yml", "A", 0o644) },
		"name":              func() { put("playbooks/site.yml", "a", 0o644); put("playbooks/other.yml", "a", 0o644) },
		"execute bit":       func() { put("roles/r/files/run", "b", 0o644) },
		"document in files": func() { put("roles/r/files/README.md", "x", 0o644) },
		"namesake":          func() { put("roles/r/vars/routing.yml", "x", 0o644) },
		"vault":             func() { put("inventories/dev/group_vars/all/vault.yml", "x", 0o644) },
	} {
		change()
		h := hash()
		assert.Empty(t, seen[h], what)
		seen[h] = what
	}

	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	linked, err := ContentHash(link, "dev")
	require.NoError(t, err)
	assert.Equal(t, hash(), linked)

	_, err = ContentHash(filepath.Join(dir, "absent"), "dev")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestContentHashOfThisTree(t *testing.T) {
	t.Parallel()
	_, err := ContentHash(".", "")
	assert.NoError(t, err)
}

func TestUpstreamPin(t *testing.T) {
	t.Parallel()
	u, err := ReadUpstream(".")
	require.NoError(t, err)
	assert.Equal(t, Upstream{
		Repository: "https://github.com/wazo-platform/wazo-ansible.git", Commit: "b118c2bcb427ac5162d0ff5e5e17fb809ae17a54",
	}, u)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "upstream.yml"), []byte("wazo_ansible: {commit: master}\n"), 0o600))
	_, err = ReadUpstream(dir)
	assert.ErrorContains(t, err, "repository is empty")
	assert.ErrorContains(t, err, `"master"`)
}

// The playbook and the program must agree on what they share.
func TestContentAgreesWithProgram(t *testing.T) {
	t.Parallel()
	playbook := read(t, "playbooks/uc-engine.yml")
	at := 0
	for _, role := range UpstreamRoles() {
		i := strings.Index(playbook[at:], "role: "+role+"\n")
		require.GreaterOrEqual(t, i, 0, "%s is missing or out of order", role)
		at += i
	}
	var defaults map[string]string
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "roles/smoke_line/defaults/main.yml")), &defaults))
	assert.Equal(t, stacks.SmokeUser, defaults["smoke_line_user"])
	assert.Equal(t, stacks.SmokeExtension, defaults["smoke_line_extension"])
}

// stacksWithInventory are those that `calldata configure` works on.
var stacksWithInventory = []string{"dev", "stage", "prod", "pr"}

func TestInventoriesShareWhatIsCommon(t *testing.T) {
	t.Parallel()
	for _, stack := range stacksWithInventory {
		hosts := read(t, filepath.Join("inventories", stack, "hosts.yml"))
		for _, role := range stacks.AllRoles() {
			assert.Contains(t, hosts, Group(role)+":", stack)
		}
		for link, target := range map[string]string{
			"hosts.yml": "hosts.yml", "group_vars/all/shared.yml": "all.yml", "group_vars/uc_engine/shared.yml": "uc_engine.yml",
		} {
			got, err := filepath.EvalSymlinks(filepath.Join("inventories", stack, link))
			require.NoError(t, err)
			assert.Equal(t, filepath.Join("inventories", "shared", target), got)
		}
		// Ansible takes GROUP/ or GROUP.yml, and would be silent about the one that it leaves out.
		loose, err := filepath.Glob(filepath.Join("inventories", stack, "group_vars", "*.*"))
		require.NoError(t, err)
		assert.Empty(t, loose, "a group's variables are in its directory")
	}
}

// realAnsible answers a program of Ansible and the environment to run it with, on our content and with stand-ins for Wazo's
// roles.
func realAnsible(t *testing.T, program string) func(args ...string) string {
	t.Helper()
	path, err := osexec.LookPath(program)
	if err != nil {
		t.Skip(program + " is not on PATH")
	}
	roles, home, tools := t.TempDir(), t.TempDir(), t.TempDir()
	// The command, as far as programs in inventories need it.
	require.NoError(t, os.WriteFile(filepath.Join(tools, "calldata"), []byte(answer), 0o700))
	for _, role := range UpstreamRoles() {
		require.NoError(t, os.MkdirAll(filepath.Join(roles, role, "tasks"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(roles, role, "tasks", "main.yml"), []byte("[]\n"), 0o600))
	}
	return func(args ...string) string {
		cmd := osexec.Command(path, args...)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH") + ":" + tools, "HOME=" + home, "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "PYTHONDONTWRITEBYTECODE=1",
			"ANSIBLE_ROLES_PATH=roles:" + roles, "ANSIBLE_LOCAL_TEMP=" + home,
		}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %v: %s", program, args, out)
		return string(out)
	}
}

// answer is a calldata that tells in a variable how it was called.
const answer = "#!/bin/sh\n" +
	`printf '{"_meta":{"hostvars":{"m":{"called":"%s"}}},"all":{"children":["ungrouped","c4_sbc_host"]},"c4_sbc_host":{"hosts":["m"]}}' "$*"` + "\n"

// generated writes the inventory of outputs to a file, as `calldata configure` does.
func generated(t *testing.T, o stacks.Outputs) string {
	t.Helper()
	inv, err := FromOutputs(o)
	require.NoError(t, err)
	text, err := inv.YAML()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "hosts.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// prodOutputs are two engines, and fleets of which the inventory knows nothing.
func prodOutputs() stacks.Outputs {
	o := stageOutputs()
	o.Stack = "prod"
	o.Nodes = []stacks.Node{
		{Name: "prod-uc-2", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-2", PrivateIP: "10.40.80.5", User: "admin", Access: stacks.AccessSSM, Firewall: openings()},
		{Name: "prod-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-1", PrivateIP: "10.40.64.5", User: "admin", Access: stacks.AccessSSM, Firewall: openings()},
	}
	o.Fleets = []stacks.Fleet{{Name: "prod-c4-sbc", Role: stacks.RoleC4SBC}}
	return o
}

func TestPlaysAndTheirHosts(t *testing.T) {
	t.Parallel()
	play := realAnsible(t, "ansible-playbook")
	without := stageOutputs()
	without.Nodes = without.Nodes[1:]
	for name, c := range map[string]struct {
		stack                  string
		outputs                stacks.Outputs
		common, engines, smoke []string
	}{
		"dev":             {"dev", outputs(), []string{"dev-uc-1", "dev-uc-2"}, []string{"dev-uc-1", "dev-uc-2"}, []string{"dev-uc-1"}},
		"stage":           {"stage", stageOutputs(), []string{"stage-router-1", "stage-sbc-1", "stage-uc-1"}, []string{"stage-uc-1"}, []string{"stage-uc-1"}},
		"prod":            {"prod", prodOutputs(), []string{"prod-uc-1", "prod-uc-2"}, []string{"prod-uc-1", "prod-uc-2"}, []string{"prod-uc-1"}},
		"without engines": {"stage", without, []string{"stage-router-1", "stage-sbc-1"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inventories := []string{"-i", filepath.Join("inventories", c.stack), "-i", generated(t, c.outputs)}
			hosts := playHosts(play(append(inventories, "--list-hosts", "playbooks/site.yml")...))
			assert.Equal(t, c.common, hosts["Base system"])
			assert.Equal(t, c.engines, hosts["Look at the UC Engines"])
			assert.Equal(t, c.engines, hosts["Check the UC Engines"])
			assert.Equal(t, c.smoke, hosts["Line for smoke calls"])
			assert.Empty(t, hosts["Wazo database"], "nothing is pending before a play has looked")
		})
	}
	// Without hosts a play has nothing to do, which is no mistake; the run itself ends well.
	empty := filepath.Join(t.TempDir(), "hosts.yml")
	require.NoError(t, os.WriteFile(empty, []byte("all: {hosts: {}}\n"), 0o600))
	play("-i", "inventories/prod", "-i", empty, "--syntax-check", "playbooks/site.yml")
	play("-i", "inventories/prod", "-i", empty, "playbooks/uc-engine.yml", "playbooks/smoke-line.yml")
}

// playHosts reads what --list-hosts prints: the hosts of each play, in the order of their names.
func playHosts(text string) map[string][]string {
	hosts := map[string][]string{}
	play, listed := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "play #"):
			_, play, _ = strings.Cut(line, "): ")
			play, _, _ = strings.Cut(play, "\t")
			listed = false
		case strings.HasPrefix(line, "hosts ("):
			listed = true
		case listed && line != "":
			hosts[play] = append(hosts[play], line)
			slices.Sort(hosts[play])
		}
	}
	return hosts
}

func TestVariablesOfHosts(t *testing.T) {
	t.Parallel()
	ask := realAnsible(t, "ansible-inventory")
	vars := func(stack, host string, o stacks.Outputs) map[string]any {
		out := ask("-i", filepath.Join("inventories", stack), "-i", generated(t, o), "--host", host)
		var got map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(out), &got), out)
		return got
	}
	request := outputs()
	request.Stack, request.Nodes = "pr", request.Nodes[:1]
	request.Nodes[0].Name = "pr-uc-1"
	for stack, o := range map[string]stacks.Outputs{"dev": outputs(), "stage": stageOutputs(), "prod": prodOutputs(), "pr": request} {
		engine := vars(stack, stack+"-uc-1", o)
		assert.Equal(t, "Etc/UTC", engine["common_timezone"], stack)
		assert.Equal(t, "pelican-bookworm", engine["wazo_distribution"], stack)
		assert.NotContains(t, engine, "database_host", stack)
	}
	router := vars("stage", "stage-router-1", stageOutputs())
	assert.Equal(t, "stage-router.abc.eu-west-1.rds.amazonaws.com", router["database_host"])
	assert.Equal(t, 5432, router["database_port"])
	assert.NotContains(t, router, "wazo_distribution", "a Router is no engine")
	assert.NotContains(t, vars("stage", "stage-sbc-1", stageOutputs()), "database_host", "only Routers ask the database")
}

// The programs in inventories ask calldata for the stack that they are named after.
func TestInventoriesOfPrograms(t *testing.T) {
	t.Parallel()
	ask := realAnsible(t, "ansible-inventory")
	for _, stack := range stacksWithInventory {
		out := ask("-i", filepath.Join("inventories", stack), "-i", filepath.Join("inventories", stack+".sh"), "--list")
		var got map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(out), &got), out)
		vars := got["_meta"].(map[string]any)["hostvars"].(map[string]any)["m"].(map[string]any)
		assert.Equal(t, "inventory "+stack+" --list", vars["called"])
		assert.Equal(t, "Etc/UTC", vars["common_timezone"], "the stack's own variables are for such hosts, too")
		assert.Contains(t, got["c4_sbc"].(map[string]any)["children"], "c4_sbc_host")
	}
}

// calldata routing and calldata setup have their documents in a stack's directory, which Ansible reads as an inventory.
func TestDocumentsAreNoInventories(t *testing.T) {
	t.Parallel()
	ask := realAnsible(t, "ansible-inventory")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "docs", "examples"))))
	require.FileExists(t, filepath.Join(dir, "tenant.yml"))
	require.FileExists(t, filepath.Join(dir, "routing.yml"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "groups.yml"), []byte("all: {}\n"), 0o600)) // one with nothing at all is refused
	out := ask("-i", dir, "-i", generated(t, outputs()), "--graph")
	assert.Contains(t, out, "dev-uc-1")
	assert.NotContains(t, out, "tenants")
}
