package routing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/stacks"
)

const routerID = "i-0123456789abcdef0"

// site is a stack of which an SSH server in this process is every Router. A command there leads to the bench's database.
type site struct {
	*bench
	ssh      *sshtest.Server
	stack    stacks.Outputs
	commands []string
	env      map[string]string
}

func newSite(t *testing.T, dial func() (io.ReadWriteCloser, error)) *site {
	s := &site{bench: newBench(t)}
	if dial == nil {
		config, err := pgx.ParseConfig(s.url)
		require.NoError(t, err)
		dial = func() (io.ReadWriteCloser, error) { return net.Dial("unix", config.Host+"/.s.PGSQL.5432") }
	}
	s.ssh = sshtest.Start(t, func(command string) sshtest.Reply {
		s.commands = append(s.commands, command)
		conn, err := dial()
		if err != nil {
			return sshtest.Reply{Stderr: err.Error() + "\n", Code: 1}
		}
		return sshtest.Reply{Join: conn}
	})
	s.stack = stacks.Outputs{
		Stack: "trial", Region: "us-east-1", Endpoints: stacks.Endpoints{Web: "https://trial.test", SIP: "sip:127.0.0.1:5060"},
		Nodes: []stacks.Node{{
			Name: "trial-router-1", Roles: []stacks.Role{stacks.RoleC4Router}, InstanceID: routerID, Zone: "us-east-1a", PrivateIP: "127.0.0.1", User: sshtest.User,
			Access: stacks.AccessSSH,
		}},
	}
	s.env = map[string]string{
		secretsVariable: filepath.Join(s.dir, "secrets"), "CALLDATA_SSH_KEY": s.ssh.KeyFile, "CALLDATA_KNOWN_HOSTS": s.ssh.KnownHosts,
		"CALLDATA_TUNNEL": "direct",
	}
	return s
}

// plan plans by way of the stack.
func (s *site) plan() (string, error) {
	data, err := json.Marshal(s.stack)
	require.NoError(s.t, err)
	s.put("outputs.json", string(data))
	var out, diagnostics strings.Builder
	streams := &cli.IO{In: strings.NewReader(""), Out: &out, Err: &diagnostics, Width: func() int { return 80 }, Getenv: func(name string) string { return s.env[name] }}
	o := &Options{IO: streams, Stack: "trial", File: filepath.Join(s.dir, "routing.yml"), Outputs: filepath.Join(s.dir, "outputs.json"), sshPort: s.ssh.Port}
	err = o.runPlan(s.t.Context())
	return out.String(), err
}

func TestDatabaseOnTheRouter(t *testing.T) {
	s := newSite(t, nil)
	_, err := s.conn.Exec(t.Context(), "CREATE ROLE postgres SUPERUSER LOGIN")
	require.NoError(t, err)
	_, err = s.plan()
	require.ErrorContains(t, err, `database "c4" does not exist`, "the server's own words have come all the way")

	// A copy of the database with the role's schema, which nobody may use meanwhile.
	require.NoError(t, s.conn.Close(t.Context()))
	other, err := pgx.Connect(t.Context(), strings.Replace(s.url, "/postgres?", "/template1?", 1))
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "CREATE DATABASE c4 TEMPLATE postgres")
	require.NoError(t, err)
	require.NoError(t, other.Close(t.Context()))
	out, err := s.plan()
	require.NoError(t, err)
	assert.Contains(t, out, "+ tenant acme")
	for _, command := range s.commands {
		assert.True(t, strings.HasPrefix(command, "sudo -n -u postgres python3 -c '"), command)
		assert.Contains(t, command, "/var/run/postgresql/.s.PGSQL.5432")
	}
}

func TestRoutersThatDoNotHelp(t *testing.T) {
	s := newSite(t, func() (io.ReadWriteCloser, error) { return nil, fmt.Errorf("connection refused") })
	_, err := s.plan()
	require.ErrorContains(t, err, "connection refused", "what the Router said is told")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))

	s.env["CALLDATA_KNOWN_HOSTS"] = s.ssh.OtherHosts
	_, err = s.plan()
	require.ErrorContains(t, err, "is not the known one")

	s.stack.Nodes[0].Roles = []stacks.Role{stacks.RoleUCEngine}
	_, err = s.plan()
	require.ErrorContains(t, err, "has no Router")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

// secured is a connection of PostgreSQL's protocol with TLS in front of the test's server, as RDS has it, which asks for a
// password: it stands for a server that was started with a certificate.
func secured(t *testing.T, b *bench) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"db.test"}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	config, err := pgx.ParseConfig(b.url)
	require.NoError(t, err)
	info, err := os.Stat(config.Host)
	require.NoError(t, err)
	uid, gid := owner(info)
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: certificate}, "server.key": {Type: "PRIVATE KEY", Bytes: private}} {
		path := filepath.Join(config.Host, "data", name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		require.NoError(t, os.Chown(path, uid, gid))
	}
	hba := filepath.Join(config.Host, "data", "pg_hba.conf")
	require.NoError(t, os.WriteFile(hba, []byte("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"), 0o600))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := net.SplitHostPort(address)
	for _, sql := range []string{
		"CREATE ROLE calldata SUPERUSER LOGIN PASSWORD 'p w:d'", "ALTER SYSTEM SET ssl = on", "ALTER SYSTEM SET listen_addresses = '127.0.0.1'", "ALTER SYSTEM SET port = " + port,
	} {
		_, err := b.conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	b.restart()
	return address
}

// cloud answers as Secrets Manager and EC2 do, for one secret and one running Router of a fleet.
func cloud(t *testing.T, secret string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetSecretValue") {
			_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": secret})
			return
		}
		form, _ := url.ParseQuery(string(body))
		asked := fmt.Sprint(form)
		for _, want := range []string{"DescribeInstances", "tag:Environment", "trial", "tag:Role", "c4-router", "running"} {
			if !strings.Contains(asked, want) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		_, _ = fmt.Fprintf(w, `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item>
<instanceId>%s</instanceId><privateIpAddress>127.0.0.1</privateIpAddress><launchTime>2026-01-01T00:00:00Z</launchTime>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`, routerID)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

func TestDatabaseOfItsOwnThroughAFleet(t *testing.T) {
	var address string
	s := newSite(t, func() (io.ReadWriteCloser, error) { return net.Dial("tcp", address) })
	address = secured(t, s.bench)
	t.Chdir(t.TempDir())
	s.stack.Database = &stacks.Database{Host: "db.test", Port: 5432, SecretARN: "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"}
	s.stack.Fleets = []stacks.Fleet{{Name: "trial-router", Role: stacks.RoleC4Router}}
	s.stack.Nodes[0].Roles = []stacks.Role{stacks.RoleUCEngine}
	delete(s.env, "CALLDATA_KNOWN_HOSTS")

	cloud(t, `{"username":"calldata","password":"wrong one"}`)
	_, err := s.plan()
	require.ErrorContains(t, err, "password authentication failed")
	assert.NotContains(t, err.Error(), "wrong one")

	cloud(t, `{"username":"calldata","password":"p w:d"}`)
	_, err = s.plan()
	require.ErrorContains(t, err, `database "c4" does not exist`)
	assert.Contains(t, s.commands[0], `s.connect(("db.test", 5432))`)

	known, err := os.ReadFile(filepath.Join(".calldata", "trial", "known_hosts"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(known), routerID), "the host key was learnt once")

	cloud(t, `{"password":"p w:d"}`)
	_, err = s.plan()
	require.ErrorContains(t, err, "no JSON with username and password")
	assert.NotContains(t, err.Error(), "p w:d")
}
