package configure

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"
)

// print writes the outcome to standard output.
func (c *outcome) print(o *Options) error {
	if o.JSON {
		encoder := json.NewEncoder(o.IO.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(c)
	}
	if len(c.Result.Hosts) > 0 {
		table := tabwriter.NewWriter(o.IO.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
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
	_, err := fmt.Fprintf(o.IO.Out, "%s: %s, %d %s, %s; log: %s\n", c.Stack, c.Result.Exit, c.Result.Changed(), verb,
		c.Result.Elapsed.Round(100*time.Millisecond), c.Log)
	return err
}
