package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

//go:embed tokens.txt
var tokenTable string

// addTokens gives info the resources and functions of the table. A line that does not follow the table's form is an
// error that names it.
func addTokens(info *tfbridge.ProviderInfo, table string) error {
	// Documentation is left out: the engine needs names and types, and the Terraform pages are not in the module.
	noDocs := &tfbridge.DocInfo{Markdown: []byte(" ")}
	lines := bufio.NewScanner(strings.NewReader(table))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 4 {
			return fmt.Errorf("tokens.txt line %d: %d fields; want kind, Terraform type, module, name", n, len(fields))
		}
		kind, terraformType, module, name := fields[0], fields[1], fields[2], fields[3]
		switch kind {
		case "resource":
			info.Resources[terraformType] = &tfbridge.ResourceInfo{Tok: resourceToken(module, name), Docs: noDocs}
		case "function":
			info.DataSources[terraformType] = &tfbridge.DataSourceInfo{Tok: functionToken(module, name), Docs: noDocs}
		default:
			return fmt.Errorf("tokens.txt line %d: kind %q; want resource or function", n, kind)
		}
	}
	return lines.Err()
}

// resourceToken is the token of a resource type, as aws:ec2/vpc:Vpc.
func resourceToken(module, name string) tokens.Type {
	return tokens.Type(fmt.Sprintf("aws:%s/%s:%s", module, strings.ToLower(name[:1])+name[1:], name))
}

// functionToken is the token of a function, as aws:ec2/getAmi:getAmi.
func functionToken(module, name string) tokens.ModuleMember {
	return tokens.ModuleMember(fmt.Sprintf("aws:%s/%s:%s", module, name, name))
}
