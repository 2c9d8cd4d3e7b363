package configure

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteText writes Ansible's recap as a table, and a line that sums up.
func (c *Outcome) WriteText(w io.Writer) error {
	if len(c.Result.Hosts) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		_, _ = fmt.Fprintln(table, "host\tok\tchanged\tskipped\tfailed\tunreachable\trescued\tignored\t")
		for _, h := range c.Result.Hosts {
			_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
				h.Host, h.OK, h.Changed, h.Skipped, h.Failed, h.Unreachable, h.Rescued, h.Ignored)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	verb := "changed"
	if c.Check {
		verb = "would change"
	}
	_, err := fmt.Fprintf(w, "%s: %s, %d %s, %s; log: %s\n", c.Stack, c.Result.Exit, c.Result.Changed(), verb,
		c.Result.Elapsed.Round(100*time.Millisecond), c.Log)
	return err
}
