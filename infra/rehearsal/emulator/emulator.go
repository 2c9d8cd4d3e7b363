// Package emulator runs an AWS for rehearsals: moto as a server process, with an extension of ours (extension/) for the
// calls that the Terraform AWS provider makes and moto lacks. What it offers to others is the AWS API and nothing of
// moto's, so that another emulator can take its place.
package emulator

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/child"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

//go:embed extension/*.py extension/amis.json
var extension embed.FS

// Region is where clients of the emulator work unless they say otherwise.
const Region = "us-east-1"

// startTimeout is how long the server may take to answer. Measured: 2 s, 6 s on a busy machine.
const startTimeout = 60 * time.Second

// stopTimeout is how long it may take to end.
const stopTimeout = 5 * time.Second

// Options says where and how an emulator runs.
type Options struct {
	// Python is the interpreter of an environment with moto[server] 5.2.1, as pyenv makes it.
	Python string
	// Dir gets the extension and the log, emulator.log. It is made when missing.
	Dir string
	// NetNS names the network namespace to serve in, on all its addresses. Empty: loopback of this process's own.
	NetNS string
	// Port to serve on, 0 for a free one.
	Port int
	// EIPPool is where public addresses come from: Elastic IPs from its tenth address up, addresses that instances get by
	// themselves from its middle up. Default: 203.0.113.0/24 (TEST-NET-3, RFC 5737). At least a /27.
	EIPPool netip.Prefix
	// ConsoleDir holds INSTANCE-ID.log files for GetConsoleOutput. Empty: there are none.
	ConsoleDir string
	// Progress hears where the start stands. Default: nobody.
	Progress progress.Reporter
}

// Emulator is a running server.
type Emulator struct {
	netns   string
	address string
	process *child.Process
	log     string
}

// withDefaults fills what was left out and reports every mistake at once.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if !o.EIPPool.IsValid() {
		o.EIPPool = netip.MustParsePrefix("203.0.113.0/24")
	}
	if !o.EIPPool.Addr().Is4() || o.EIPPool.Bits() > 27 {
		errs = append(errs, fmt.Errorf("emulator: EIPPool is %s: want an IPv4 network of /27 or larger", o.EIPPool))
	}
	if _, err := exec.LookPath(o.Python); err != nil {
		errs = append(errs, fmt.Errorf("emulator: Python is %q: %w", o.Python, err))
	}
	if o.Dir == "" {
		errs = append(errs, errors.New("emulator: Dir is empty: name a directory for its files"))
	}
	if o.Port < 0 || o.Port > 65535 {
		errs = append(errs, fmt.Errorf("emulator: Port is %d: want 0 to 65535", o.Port))
	}
	if o.NetNS != "" {
		if _, err := os.Stat(netns.Path(o.NetNS)); err != nil {
			errs = append(errs, fmt.Errorf("emulator: NetNS is %q: %w", o.NetNS, err))
		}
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	return o, errors.Join(errs...)
}

// Start starts an emulator and waits until it answers. It dies with this process, however that dies. Cancelling ctx
// later does not end it: Stop does.
func Start(ctx context.Context, o Options) (*Emulator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := extract(o.Dir); err != nil {
		return nil, fmt.Errorf("write the emulator's extension: %w", err)
	}
	e := &Emulator{netns: o.NetNS, log: filepath.Join(o.Dir, "emulator.log")}
	begin := time.Now()
	port, err := e.launch(ctx, o)
	if err == nil {
		e.address = net.JoinHostPort("127.0.0.1", port)
		err = e.ready(ctx)
	}
	if err != nil {
		e.Stop()
		return nil, fmt.Errorf("start the AWS emulator: %w; its log is %s", err, e.log)
	}
	o.Progress.Logf("AWS emulator answers on %s after %s", e.URL(), time.Since(begin).Round(100*time.Millisecond))
	return e, nil
}

// launch starts the server and answers the port that it says it has.
func (e *Emulator) launch(ctx context.Context, o Options) (string, error) {
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = log.Close() }()
	host := "127.0.0.1"
	args := []string{o.Python}
	if o.NetNS != "" {
		host = "0.0.0.0"
		args = []string{"nsenter", "--net=" + netns.Path(o.NetNS), "--", o.Python}
	}
	args = append(args, "-m", "extension", host, fmt.Sprint(o.Port))
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // it outlives the call that starts it; Stop ends it
	cmd.Dir = o.Dir
	cmd.Stdout, cmd.Stderr = in, log
	cmd.Env = serverEnv(os.Environ(), o)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C at the terminal is for the conductor
	e.process, err = child.Start(cmd, syscall.SIGKILL)
	_ = in.Close()
	if err != nil {
		return "", err
	}

	type answer struct {
		line string
		err  error
	}
	first := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		first <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(startTimeout):
		return "", fmt.Errorf("no sign of life within %s", startTimeout)
	case a := <-first:
		var said struct{ Port int }
		if a.err != nil {
			return "", errors.New("it ended at once")
		}
		if err := json.Unmarshal([]byte(a.line), &said); err != nil {
			return "", fmt.Errorf("it said %q, want its port: %w", a.line, err)
		}
		return fmt.Sprint(said.Port), nil
	}
}

// serverEnv is the environment of the server: the caller's without its AWS and Python settings.
func serverEnv(env []string, o Options) []string {
	var out []string
	for _, pair := range env {
		if !strings.HasPrefix(pair, "AWS_") && !strings.HasPrefix(pair, "MOTO_") && !strings.HasPrefix(pair, "PYTHON") {
			out = append(out, pair)
		}
	}
	return append(out,
		"PYTHONUNBUFFERED=1",
		"MOTO_AMIS_PATH="+filepath.Join(o.Dir, "extension", "amis.json"),
		// The policies that instance profiles attach have to exist.
		"MOTO_IAM_LOAD_MANAGED_POLICIES=true",
		// Seconds until a certificate with a DNS record counts as validated; moto's default is 60.
		"MOTO_ACM_VALIDATION_WAIT=5",
		"CALLDATA_EIP_POOL="+o.EIPPool.Masked().String(),
		"CALLDATA_CONSOLE_DIR="+o.ConsoleDir,
	)
}

// ready asks the server until it answers.
func (e *Emulator) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL()+"/moto-api/", nil)
		if err != nil {
			return err
		}
		response, err := e.client().Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode < http.StatusInternalServerError {
				return nil
			}
			err = fmt.Errorf("it answers %s", response.Status)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-e.process.Done():
			return fmt.Errorf("it ended: %w", e.process.Wait())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the server, and everything that it emulated with it. It may be called twice.
func (e *Emulator) Stop() {
	if e.process == nil {
		return
	}
	select {
	case <-e.process.Done():
		return
	default:
	}
	_ = unix.Kill(e.process.Pid, unix.SIGTERM)
	select {
	case <-e.process.Done():
	case <-time.After(stopTimeout):
		_ = unix.Kill(e.process.Pid, unix.SIGKILL)
		<-e.process.Done()
	}
}

// URL is the endpoint, for clients in the same network namespace.
func (e *Emulator) URL() string { return "http://" + e.address }

// extract writes the extension below dir, in place of an earlier one.
func extract(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "extension")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "extension"), 0o750); err != nil {
		return err
	}
	return fs.WalkDir(extension, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		from, err := extension.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }()
		data, err := io.ReadAll(from)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), data, 0o600)
	})
}
