package alb

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func withWAF(a *Args) { a.WAF, a.LoginLimit = true, 120 }

func TestFirewall(t *testing.T) {
	t.Parallel()
	assert.Empty(t, run(t, nil, nil).OfType(aclType), "it is a choice")

	aws := run(t, withWAF, nil)
	acl := aws.One(t, aclType)
	assert.Equal(t, "REGIONAL", acl.Inputs["scope"])
	assert.Equal(t, map[string]any{"allow": map[string]any{}}, acl.Inputs["defaultAction"])
	groups, seen := map[string]any{}, map[any]bool{}
	for _, r := range acl.Inputs["rules"].([]any) {
		rule := r.(map[string]any)
		assert.False(t, seen[rule["priority"]], "two rules of one priority")
		seen[rule["priority"]] = true
		assert.Equal(t, false, rule["visibilityConfig"].(map[string]any)["sampledRequestsEnabled"], "a sample of a login shows its password")
		assert.NotEqual(t, rule["action"] == nil, rule["overrideAction"] == nil, "a rule has one of the two: %s", rule["name"])
		if group, managed := rule["statement"].(map[string]any)["managedRuleGroupStatement"].(map[string]any); managed {
			groups[group["name"].(string)] = group["ruleActionOverrides"]
		}
	}
	require.Len(t, groups, 3)
	assert.Nil(t, groups["AWSManagedRulesAmazonIpReputationList"])
	assert.Nil(t, groups["AWSManagedRulesKnownBadInputsRuleSet"])
	var counted []string
	for _, o := range groups["AWSManagedRulesCommonRuleSet"].([]any) {
		override := o.(map[string]any)
		assert.Equal(t, map[string]any{"count": map[string]any{}}, override["actionToUse"])
		counted = append(counted, override["name"].(string))
	}
	assert.Equal(t, []string{"SizeRestrictions_BODY", "GenericRFI_BODY", "NoUserAgent_HEADER", "RestrictedExtensions_URIPATH"}, counted)

	association := aws.One(t, associationType)
	assert.Equal(t, map[string]any{
		"resourceArn": "arn:aws:lb:us-east-1:123456789012:stage-web", "webAclArn": "arn:aws:wafv2:us-east-1:123456789012:stage-web",
	}, association.Inputs)
	assert.Equal(t, []string{"aws:lb/loadBalancer:LoadBalancer stage-web", aclType + " stage-web"}, association.Dependencies)
}

func TestLoginRate(t *testing.T) {
	t.Parallel()
	rule := run(t, withWAF, nil).One(t, aclType).Inputs["rules"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"block": map[string]any{"customResponse": map[string]any{"responseCode": 429.0}}}, rule["action"])
	rate := rule["statement"].(map[string]any)["rateBasedStatement"].(map[string]any)
	assert.InDelta(t, 120, rate["limit"], 0)
	assert.InDelta(t, 300, rate["evaluationWindowSec"], 0)

	login := regexp.MustCompile(loginPath)
	for path, want := range map[string]bool{
		"/api/auth/0.1/token": true, "/api/auth/0.1/token/": true, "/login": true, "/login/": true,
		"/api/auth/0.1/token/0f0f0f0f": false, "/api/auth/0.1/backends": false, "/api/asterisk/ws": false, "/x/login": false,
	} {
		assert.Equal(t, want, login.MatchString(path), path)
	}
}

// TestProviderVersion: resources that are not registered through the SDK must share its provider.
func TestProviderVersion(t *testing.T) {
	t.Parallel()
	versions := run(t, withWAF, nil).versions
	want := versions["aws:lb/loadBalancer:LoadBalancer"]
	assert.NotEmpty(t, want)
	assert.Equal(t, want, versions[aclType])
	assert.Equal(t, want, versions[associationType])
}

// TestNamesOfTheSDK compares the inputs of the web ACL with the SDK's structs, read as text.
func TestNamesOfTheSDK(t *testing.T) {
	t.Parallel()
	sdk := readSDK(t)
	aws := run(t, withWAF, nil)
	acl, association := aws.One(t, aclType).Inputs, aws.One(t, associationType).Inputs
	assert.Empty(t, sdk.check("webAclArgs", "acl", acl))
	assert.Empty(t, sdk.check("webAclAssociationArgs", "association", association))

	acl["rules"].([]any)[0].(map[string]any)["statement"].(map[string]any)["rateBasedStatement"].(map[string]any)["window"] = 300.0
	acl["scopes"] = "REGIONAL"
	acl["description"], acl["defaultAction"] = map[string]any{}, []any{}
	assert.ElementsMatch(t, []string{
		"acl.rules.statement.rateBasedStatement.window: WebAclRuleStatementRateBasedStatement has no such property",
		"acl.scopes: webAclArgs has no such property", "acl.description: the SDK has string, not an object",
		"acl.defaultAction: the SDK has WebAclDefaultAction, not a list",
	}, sdk.check("webAclArgs", "acl", acl), "the check itself must find what is wrong")
}

// structs are the SDK's types of properties, by name of struct and of property.
type structs map[string]map[string]string

func readSDK(t *testing.T) structs {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-aws/sdk/v6").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "go/aws/wafv2/*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := structs{}
	for _, path := range files {
		name := filepath.Base(path)
		if !strings.HasPrefix(name, "pulumiTypes") && name != "webAcl.go" && name != "webAclAssociation.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, isType := n.(*ast.TypeSpec)
			if !isType {
				return true
			}
			if body, isStruct := spec.Type.(*ast.StructType); isStruct {
				all[spec.Name.Name] = properties(body)
			}
			return false
		})
	}
	return all
}

func properties(body *ast.StructType) map[string]string {
	found := map[string]string{}
	for _, f := range body.Fields.List {
		if f.Tag == nil {
			continue
		}
		if name := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("pulumi"); name != "" {
			found[name] = typeName(f.Type)
		}
	}
	return found
}

// typeName is the name of a type without its pointers.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.MapType:
		return "map"
	}
	return ""
}

// check reports every property of value that the struct does not have, or has with a type of another kind.
func (s structs) check(name, at string, value any) []string {
	fields, known := s[name]
	item, list := strings.CutPrefix(name, "[]")
	switch value := value.(type) {
	case []any:
		wrong := kind(list, at, name, "a list")
		for _, v := range value {
			wrong = append(wrong, s.check(item, at, v)...)
		}
		return wrong
	case map[string]any:
		if name == "map" {
			return nil
		}
		if !known {
			return kind(false, at, name, "an object")
		}
		var wrong []string
		for key, v := range value {
			next, has := fields[key]
			if !has {
				wrong = append(wrong, at+"."+key+": "+name+" has no such property")
				continue
			}
			wrong = append(wrong, s.check(next, at+"."+key, v)...)
		}
		return wrong
	case string:
		return kind(name == "string", at, name, "a string")
	case bool:
		return kind(name == "bool", at, name, "a truth value")
	case float64:
		return kind(name == "int", at, name, "a number")
	}
	return []string{at + ": unexpected"}
}

func kind(ok bool, at, want, got string) []string {
	if ok {
		return nil
	}
	return []string{at + ": the SDK has " + want + ", not " + got}
}
