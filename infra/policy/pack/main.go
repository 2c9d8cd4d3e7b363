// Command pack is the rules of package policy as a policy pack for Pulumi's engine: it judges what a preview would make,
// and what an update has made, and stops both at a mandatory violation.
//
// Build it and give the program, not this directory, to --policy-pack: that works with every language host, and compiles
// nothing during a deployment.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
)

func main() {
	if err := policyx.Main(pack); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
