package tunnel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
)

func TestMain(m *testing.M) { sshtest.Main(m, NewCmdTunnel) }

const instance = "i-0123456789abcdef0"

func target(port int) Target {
	return Target{Instance: instance, Region: "eu-west-1", Host: "127.0.0.1", Port: port}
}

// tunnel is the command line of the test's binary for a target.
func tunnel(via Way, t Target) []string {
	binary, _ := os.Executable()
	return []string{
		binary, "tunnel", "--via", string(via), "--instance", t.Instance, "--region", t.Region, "--host", t.Host, "--port", strconv.Itoa(t.Port),
	}
}

// tools makes a directory with an AWS CLI that is a shell script, and its plugin.
func tools(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"aws": fmt.Sprintf("#!/bin/sh\nhere='%s'\n%s\n", dir, script), "session-manager-plugin": "#!/bin/sh\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700))
	}
	return dir
}

// relay is a line of shell that does for the AWS CLI what Systems Manager does.
func relay(port int) string {
	return "exec '" + strings.Join(tunnel(Direct, target(port)), "' '") + "'"
}

func await(t *testing.T, file string) string {
	t.Helper()
	var data []byte
	require.Eventually(t, func() bool {
		data, _ = os.ReadFile(file)
		return strings.HasSuffix(string(data), "\n")
	}, 10*time.Second, 5*time.Millisecond, file)
	return strings.TrimSpace(string(data))
}

func TestWayOf(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Way{"": SSM, "ssm": SSM, "direct": Direct} {
		got, err := WayOf(func(name string) string { return map[string]string{Variable: value}[name] })
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := WayOf(func(string) string { return "vpn" })
	assert.EqualError(t, err, `CALLDATA_TUNNEL is "vpn", want ssm or direct: unset it to go through AWS Systems Manager`)
}

func TestTargetValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, target(22).Validate())
	require.NoError(t, Target{Instance: "i-01234567", Region: "us-gov-west-1", Host: "fd00::1", Port: 2222}.Validate())
	err := Target{Instance: "i-0123456789abcdef0;id", Region: "--profile", Host: "fe80::1%`id`", Port: 65536}.Validate()
	for _, part := range []string{"instance is", "region is", "host is", "port is 65536"} {
		assert.ErrorContains(t, err, part)
	}
	for _, bad := range []Target{{}, {Instance: "$(id)"}, {Instance: "mi-0123456789abcdef0"}} {
		_, err := ProxyCommand("calldata", SSM, bad)
		require.Error(t, err)
	}
	_, err = ProxyCommand("/a\nProxyCommand id", SSM, target(22))
	assert.ErrorContains(t, err, "plainer name")
}

func TestKeyName(t *testing.T) {
	t.Parallel()
	signer, _ := sshtest.NewKey(t)
	hosts := func(names ...string) ssh.HostKeyCallback {
		file := filepath.Join(t.TempDir(), "known_hosts")
		var text string
		for _, name := range names {
			text += knownhosts.Line([]string{name}, signer.PublicKey()) + "\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		check, err := knownhosts.New(file)
		require.NoError(t, err)
		return check
	}
	for name, c := range map[string]struct {
		hosts ssh.HostKeyCallback
		name  string
		port  int
	}{
		"by id":                       {hosts(instance), instance, 22},
		"by address":                  {hosts("[127.0.0.1]:2222"), "127.0.0.1", 2222},
		"by both, the id is the one":  {hosts("[127.0.0.1]:2222", instance), instance, 22},
		"by neither":                  {hosts("192.0.2.1"), "127.0.0.1", 2222},
		"the id of another machine":   {hosts("i-0aaaaaaaaaaaaaaaa"), "127.0.0.1", 2222},
		"nothing is known of anybody": {hosts(), "127.0.0.1", 2222},
	} {
		got, port := target(2222).KeyName(c.hosts)
		assert.Equal(t, c.name, got, name)
		assert.Equal(t, c.port, port, name)
	}
	keys := KnownKeys(hosts(instance), instance, 22)
	require.Len(t, keys, 1)
	assert.Equal(t, signer.PublicKey().Marshal(), keys[0].Key.Marshal())
}

// ssh itself goes through the tunnel, from a binary whose name needs every kind of quoting.
func TestProxyCommandOfSSH(t *testing.T) {
	client, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not on PATH")
	}
	m := sshtest.Start(t, func(command string) sshtest.Reply { return sshtest.Reply{Stdout: "did " + command + "\n"} })
	own, err := os.Executable()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), `it's 100%h $(touch evil) "#`)
	require.NoError(t, os.Mkdir(dir, 0o700))
	binary := filepath.Join(dir, "calldata")
	require.NoError(t, os.Symlink(own, binary))
	fakes := tools(t, `echo "$@" >"$here/args"; `+relay(m.Port))
	t.Setenv("PATH", fakes+":"+os.Getenv("PATH"))
	for _, way := range []Way{Direct, SSM} {
		proxy, err := ProxyCommand(binary, way, target(m.Port))
		require.NoError(t, err)
		config := filepath.Join(t.TempDir(), "ssh_config")
		// 192.0.2.1 is nobody's (RFC 5737): without the tunnel there is no answer.
		require.NoError(t, os.WriteFile(config, []byte("Host 192.0.2.1\n  HostKeyAlias [127.0.0.1]:"+strconv.Itoa(m.Port)+"\n  ProxyCommand "+proxy+"\n"), 0o600))
		cmd := exec.Command(client, "-F", config, "-o", "BatchMode=yes", "-o", `UserKnownHostsFile="`+m.KnownHosts+`"`, "-o", "IdentitiesOnly=yes",
			"-i", m.KeyFile, "-l", sshtest.User, "--", "192.0.2.1", "something")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, stderr.String())
		assert.Equal(t, "did something\n", string(out), way)
		assert.NotContains(t, stderr.String(), "calldata:", "the end of a session is nothing to complain about")
	}
	assert.Equal(t, "ssm start-session --target "+instance+" --document-name AWS-StartSSHSession --parameters portNumber="+strconv.Itoa(m.Port)+
		" --region eu-west-1", await(t, filepath.Join(fakes, "args")))
}

// The program that opens the session is this process: its exit code and its signals are the caller's.
func TestSSMBecomesTheAWSCLI(t *testing.T) {
	t.Parallel()
	fakes := tools(t, `echo $$ >"$here/pid"; read -r code; echo "An error occurred" >&2; exit "$code"`)
	args := tunnel(SSM, target(22))
	env := append(os.Environ(), "PATH="+fakes+":"+os.Getenv("PATH"))

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader("254\n")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 254, exit.ExitCode())
	assert.Equal(t, "An error occurred\n", string(out), "nothing is added")
	assert.Equal(t, strconv.Itoa(exit.Pid()), await(t, filepath.Join(fakes, "pid")))

	for _, name := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		require.NoError(t, os.Remove(filepath.Join(fakes, "pid")))
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = env
		_, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		await(t, filepath.Join(fakes, "pid"))
		require.NoError(t, cmd.Process.Signal(name))
		require.ErrorAs(t, cmd.Wait(), &exit)
		assert.Equal(t, name, exit.Sys().(syscall.WaitStatus).Signal())
	}
}

func TestMissingToolsAreNamed(t *testing.T) {
	t.Parallel()
	args := tunnel(SSM, target(22))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, cli.ExitPreflight, exit.ExitCode())
	for _, part := range []string{"aws is not on PATH: install the AWS CLI", "session-manager-plugin is not on PATH", "CALLDATA_TUNNEL=direct does without"} {
		assert.Contains(t, string(out), part)
	}
}

// echo listens and gives back what it gets, once it has got everything.
func echo(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				data, _ := io.ReadAll(conn)
				_, _ = conn.Write(data)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestDirect(t *testing.T) {
	t.Parallel()
	port := echo(t)
	args := tunnel(Direct, target(port))
	sent := strings.Repeat("0123456789abcdef", 1<<16)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(sent)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	assert.Equal(t, sent, string(out), "what the machine says after the end of input arrives too")

	for name, want := range map[syscall.Signal]int{syscall.SIGTERM: cli.ExitInterrupted, syscall.SIGINT: cli.ExitInterrupted, syscall.SIGHUP: cli.ExitInterrupted} {
		cmd := exec.Command(args[0], args[1:]...)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		_, err = in.Write([]byte("x"))
		require.NoError(t, err)
		// Its handlers stand once it is connected.
		sockets := func() bool { return strings.Contains(connections(cmd.Process.Pid), "socket:") }
		require.Eventually(t, sockets, 10*time.Second, 5*time.Millisecond)
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, cmd.Process.Signal(name))
		var exit *exec.ExitError
		require.ErrorAs(t, cmd.Wait(), &exit, name.String())
		assert.Equal(t, want, exit.ExitCode(), name.String())
		if name == syscall.SIGHUP {
			assert.Empty(t, stderr.String())
		}
	}
}

// connections lists the open files of a process.
func connections(pid int) string {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	var all []string
	for _, file := range files {
		name, _ := os.Readlink(file)
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := closed.Addr().(*net.TCPAddr).Port
	require.NoError(t, closed.Close())
	for name, c := range map[string]struct {
		args []string
		env  string
		want int
		said string
	}{
		"refused":          {tunnel(Direct, target(refused))[2:], "", cli.ExitUnreachable, "connection refused"},
		"by environment":   {[]string{"--instance", instance, "--region", "eu-west-1", "--host", "127.0.0.1", "--port", strconv.Itoa(refused)}, "direct", cli.ExitUnreachable, "connection refused"},
		"everything wrong": {[]string{"--via", "vpn", "--instance", "x", "--port", "0"}, "", cli.ExitUsage, `CALLDATA_TUNNEL is "vpn"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := NewCmdTunnel(&cli.IO{In: strings.NewReader(""), Out: &out, Err: io.Discard, Getenv: func(name string) string { return map[string]string{Variable: c.env}[name] }})
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs(c.args)
			err := cmd.ExecuteContext(t.Context())
			assert.Equal(t, c.want, cli.Code(err))
			assert.ErrorContains(t, err, c.said)
			assert.Empty(t, out.String())
		})
	}
	assert.True(t, NewCmdTunnel(&cli.IO{}).Hidden)
}

// login logs in over a connection, as package health does.
func login(t *testing.T, m *sshtest.Server, conn net.Conn) (*ssh.Client, error) {
	t.Helper()
	data, err := os.ReadFile(m.KeyFile)
	require.NoError(t, err)
	key, err := ssh.ParsePrivateKey(data)
	require.NoError(t, err)
	hosts, err := knownhosts.New(m.KnownHosts)
	require.NoError(t, err)
	secure, channels, requests, err := ssh.NewClientConn(conn, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port)), &ssh.ClientConfig{
		User: sshtest.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: hosts, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(secure, channels, requests), nil
}

func TestDial(t *testing.T) {
	m := sshtest.Start(t, func(command string) sshtest.Reply { return sshtest.Reply{Stdout: command} })
	// The AWS CLI starts its plugin and stays with it.
	fakes := tools(t, `sleep 300 & echo $! >"$here/child"; `+relay(m.Port))
	t.Setenv("PATH", fakes+":"+os.Getenv("PATH"))
	for _, way := range []Way{Direct, SSM} {
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := Dial(ctx, way, target(m.Port))
		require.NoError(t, err)
		cancel()
		assert.Equal(t, "127.0.0.1:"+strconv.Itoa(m.Port), conn.RemoteAddr().String(), "host keys are filed under it")
		client, err := login(t, m, conn)
		require.NoError(t, err, "the context is for dialling only")
		session, err := client.NewSession()
		require.NoError(t, err)
		out, err := session.Output("hello")
		require.NoError(t, err)
		assert.Equal(t, "hello", string(out))
		require.NoError(t, client.Close())
	}
	child, err := strconv.Atoi(await(t, filepath.Join(fakes, "child")))
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return errors.Is(syscall.Kill(child, 0), syscall.ESRCH) }, 5*time.Second, 10*time.Millisecond,
		"what belongs to the session ends with it")
}

func TestDialTellsWhatAWSSaid(t *testing.T) {
	m := sshtest.Start(t, func(string) sshtest.Reply { return sshtest.Reply{} })
	t.Setenv("PATH", tools(t, `echo >&2; echo "An error occurred (TargetNotConnected) when calling the StartSession operation: `+instance+` is not connected." >&2; exit 254`)+":"+os.Getenv("PATH"))
	conn, err := Dial(t.Context(), SSM, target(m.Port))
	require.NoError(t, err)
	_, err = login(t, m, conn)
	assert.ErrorContains(t, err, "aws ssm start-session: exit status 254: An error occurred (TargetNotConnected)")
	_ = conn.Close()
	conn, err = Dial(t.Context(), SSM, target(m.Port))
	require.NoError(t, err)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := conn.Write([]byte("x"))
		assert.ErrorContains(c, err, "(TargetNotConnected)")
	}, 5*time.Second, 10*time.Millisecond)
	_ = conn.Close()

	// One that says nothing is given up by whoever waits.
	t.Setenv("PATH", tools(t, "trap '' TERM; sleep 300 & wait; wait")+":"+os.Getenv("PATH"))
	conn, err = Dial(t.Context(), SSM, target(m.Port))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	begin := time.Now()
	require.NoError(t, conn.Close())
	assert.Less(t, time.Since(begin), 10*time.Second, "even a deaf one ends")
	assert.ErrorIs(t, conn.Close(), net.ErrClosed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Dial(ctx, SSM, target(m.Port))
	require.ErrorIs(t, err, context.Canceled)
	_, err = Dial(t.Context(), SSM, Target{})
	require.ErrorContains(t, err, "instance is")
	t.Setenv("PATH", t.TempDir())
	_, err = Dial(t.Context(), SSM, target(m.Port))
	assert.ErrorContains(t, err, "session-manager-plugin is not on PATH")
}
