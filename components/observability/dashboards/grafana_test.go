package dashboards

import (
	"encoding/json"
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

var update = flag.Bool("update", false, "write the dashboards of Grafana anew")

const grafana = "../../../ansible/roles/prometheus/files/dashboards"

// TestGoldenGrafana keeps the role's dashboards equal to CloudWatch's.
func TestGoldenGrafana(t *testing.T) {
	t.Parallel()
	files, err := Grafana()
	require.NoError(t, err)
	require.Contains(t, files, Overview+".json")
	require.NotContains(t, files, "database.json", "machines tell nothing of RDS")
	componenttest.GoldenDirectory(t, *update, grafana, files)
}

// Panels are on the grid, apart from each other, and each has something to show.
func TestGrafanaPanels(t *testing.T) {
	t.Parallel()
	files, err := Grafana()
	require.NoError(t, err)
	for name, data := range files {
		var made grafanaBoard
		require.NoError(t, json.Unmarshal(data, &made))
		taken := map[[2]int]string{}
		for _, p := range made.Panels {
			assert.True(t, p.Type == "row" || len(p.Targets) > 0, "%s: %s shows nothing", name, p.Title)
			for x := p.Place.X; x < p.Place.X+p.Place.Width; x++ {
				assert.Less(t, x, Columns, p.Title)
				for y := p.Place.Y; y < p.Place.Y+p.Place.Height; y++ {
					assert.Empty(t, taken[[2]int{x, y}], "%s: %s is upon it", name, p.Title)
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
