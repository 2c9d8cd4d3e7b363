package pyenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryRequirementIsPinnedWithAHash(t *testing.T) {
	t.Parallel()
	pins := packages(requirements)
	assert.Greater(t, len(pins), 50)
	for block := range strings.SplitSeq(strings.TrimSpace(requirements), "\n") {
		if strings.HasPrefix(block, " ") {
			assert.Contains(t, block, "--hash=sha256:")
			continue
		}
		assert.Regexp(t, `^[a-z0-9._-]+==[^ ]+ \\$`, block)
	}
	for _, want := range []string{"moto==5.2.1", "ansible==9.13.0"} {
		assert.Contains(t, pins, want)
	}
}

func TestPipMeterCountsCollectingAndInstallingAsHalves(t *testing.T) {
	t.Parallel()
	type report struct {
		done, total int64
		what        string
	}
	var got []report
	m := &pipMeter{total: 2, report: func(d, n int64, w string) { got = append(got, report{d, n, w}) }}
	for _, line := range []string{
		"Looking in links: /somewhere", "Collecting attrs==26.1.0", "  Downloading attrs.whl (60 kB)", "Collecting moto==5.2.1",
		"Installing collected packages: attrs, moto", "Successfully installed attrs-26.1.0 moto-5.2.1",
	} {
		m.line(line)
	}
	assert.Equal(t, []report{
		{1, 4, "attrs==26.1.0"}, {2, 4, "moto==5.2.1"}, {2, 4, "installing 2 packages"}, {4, 4, "installed"},
	}, got)
}

func TestCleanEnvDropsWhatMovesInstalls(t *testing.T) {
	t.Parallel()
	got := cleanEnv([]string{"PATH=/bin", "PYTHONPATH=/x", "PIP_TARGET=/y", "PIP_CERT=/z", "PYTHONHOME=/h"})
	assert.Equal(t, []string{"PATH=/bin", "PIP_CERT=/z"}, got)
}

func TestRunTellsTheLastLinesOfAFailure(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), exec.Command("sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; done; exit 3"), nil)
	require.ErrorContains(t, err, "exit status 3")
	assert.ErrorContains(t, err, "line 2 / line 3 / line 4 / line 5 / line 6")
	assert.NotContains(t, err.Error(), "line 1 /")
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, exec.CommandContext(ctx, "sleep", "60"), nil), context.Canceled)
}

func TestBinIsInsideTheEnvironment(t *testing.T) {
	t.Parallel()
	e := &Env{Dir: filepath.Join(os.TempDir(), "venv")}
	assert.Equal(t, filepath.Join(os.TempDir(), "venv", "bin", "ansible-playbook"), e.Bin("ansible-playbook"))
}
