package rehearsal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExercises(t *testing.T) {
	t.Parallel()
	const page = "# Training\n\n## 1 Read\n\n```sh\ncalldata version\n```\n\n## 2 Look\n\n```sh operator\ncalldata health -s stage\n```\n\nand\n\n```sh operator\ncalldata ssh stage x\n```\n\n" +
		"there:\n\n```sh machine\nuptime\n```\n\n## 3 Keep\n\n```sh root\nbin/calldata rehearse stage --keep\n```\n"
	assert.Equal(t, []exercise{
		{title: "2 Look", script: "calldata health -s stage\n"},
		{title: "2 Look", script: "calldata ssh stage x\n", onMachine: "uptime\n"},
	}, exercises("training.md", page))

	text, err := os.ReadFile(filepath.Join("../..", trainingPage))
	require.NoError(t, err)
	all := exercises(trainingPage, string(text))
	assert.Len(t, all, 8, "one for each exercise in the operator's shell")
	assert.NotEmpty(t, all[1].onMachine)
}
