// Command tell prints what a build knows of itself, for a test.
package main

import (
	"fmt"

	"github.com/calldata/calldata-foundation/infra/calldata/version"
)

func main() { fmt.Println(version.Get()) }
