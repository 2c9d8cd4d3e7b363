package child

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary play the parent that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_PARENT") != "" {
		p, err := Start(exec.Command("sleep", "60"), syscall.SIGKILL)
		if err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString(strconv.Itoa(p.Pid) + "\n")
		_ = p.Wait()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0), "the child runs")

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	assert.Eventually(t, func() bool { return gone(pid) }, 5*time.Second, 20*time.Millisecond)
}

// gone is true for a zombie too: who reaps an orphan is not our business.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestWaitTellsTheExitCode(t *testing.T) {
	t.Parallel()
	p, err := Start(exec.Command("sh", "-c", "exit 7"), syscall.SIGKILL)
	require.NoError(t, err)
	var exit *exec.ExitError
	require.ErrorAs(t, p.Wait(), &exit)
	assert.Equal(t, 7, exit.ExitCode())
	<-p.Done()
}

func TestStartTellsWhatCannotBeStarted(t *testing.T) {
	t.Parallel()
	_, err := Start(exec.Command("/does/not/exist"), syscall.SIGKILL)
	require.ErrorIs(t, err, os.ErrNotExist)
}
