package github

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type object = map[string]any

// forgery is a GitHub with one repository, of the kind that answers what it was told. It is exported field by field, so that a process
// can hand it to the next one in a file.
type forgery struct {
	Slug          string
	Login         string // empty where nobody is logged in
	Admin         bool
	Enterprise    bool // or public: reviewers are there
	Protection    bool // branches can be protected
	DefaultBranch string
	OwnerID, ID   int64
	Prefix        string // of tokens
	Template      bool   // of an organisation, for tokens
	Unreachable   bool
	Broken        string // an endpoint that GitHub fails at

	Teams        map[string]int64 // with access
	Users        map[string]int64
	Strangers    map[string]int64 // users without access
	Permissions  object
	Selected     object
	Token        object
	Labels       map[string]object
	Environments map[string]object
	Policies     map[string][]object
	Next         int64
	Branches     map[string]object // their protection, nil for none
	Variables    map[string]string
	Secrets      []string

	// Calls are all calls that change something.
	Calls []string
}

// fresh is a new repository of an organisation, in which main was pushed.
func fresh() *forgery {
	return &forgery{
		Slug: "example/foundation", Login: "admin", Admin: true, Enterprise: true, Protection: true, DefaultBranch: "main", OwnerID: 11, ID: 22,
		Prefix: "repo:example/foundation",
		Teams:  map[string]int64{"example/operators": 7}, Users: map[string]int64{"alice": 8}, Strangers: map[string]int64{"mallory": 9},
		Permissions: object{"enabled": true, "allowed_actions": "all", "sha_pinning_required": true},
		Selected:    object{"github_owned_allowed": false, "verified_allowed": false, "patterns_allowed": []any{}},
		Token:       object{"default_workflow_permissions": "write", "can_approve_pull_request_reviews": true},
		Labels:      map[string]object{}, Environments: map[string]object{}, Policies: map[string][]object{}, Branches: map[string]object{"main": nil},
		Variables: map[string]string{},
	}
}

// route is an endpoint below the repository. It answers the status and the body.
type route struct {
	method, path string
	handle       func(g *forgery, at []string, body object) (int, any)
}

func told(status int, message string) (int, any) { return status, object{"message": message} }

func notFound() (int, any) { return told(http.StatusNotFound, "Not Found") }

func done() (int, any) { return http.StatusNoContent, nil }

var routes = []route{
	{"GET", "", func(g *forgery, _ []string, _ object) (int, any) {
		return 200, object{"id": g.ID, "full_name": g.Slug, "default_branch": g.DefaultBranch, "archived": false, "owner": object{"id": g.OwnerID}, "permissions": object{"admin": g.Admin}}
	}},
	{"GET", "/collaborators/(.+)", func(g *forgery, at []string, _ object) (int, any) {
		if g.Users[at[0]] == 0 {
			return notFound()
		}
		return done()
	}},
	{"GET", "/actions/permissions", func(g *forgery, _ []string, _ object) (int, any) { return 200, g.Permissions }},
	{"PUT", "/actions/permissions", func(g *forgery, _ []string, body object) (int, any) {
		if _, kept := body["sha_pinning_required"]; !kept {
			body["sha_pinning_required"] = false
		}
		g.Permissions = body
		return done()
	}},
	{"GET", "/actions/permissions/selected-actions", func(g *forgery, _ []string, _ object) (int, any) {
		if g.Permissions["allowed_actions"] != "selected" {
			return told(http.StatusConflict, "Conflict")
		}
		return 200, g.Selected
	}},
	{"PUT", "/actions/permissions/selected-actions", func(g *forgery, _ []string, body object) (int, any) {
		if g.Permissions["allowed_actions"] != "selected" {
			return told(http.StatusConflict, "Conflict")
		}
		g.Selected = body
		return done()
	}},
	{"GET", "/actions/permissions/workflow", func(g *forgery, _ []string, _ object) (int, any) { return 200, g.Token }},
	{"PUT", "/actions/permissions/workflow", func(g *forgery, _ []string, body object) (int, any) {
		g.Token = body
		return done()
	}},
	{"GET", "/actions/oidc/customization/sub", func(g *forgery, _ []string, _ object) (int, any) {
		return 200, object{"use_default": !g.Template, "use_immutable_subject": strings.Contains(g.Prefix, "@"), "sub_claim_prefix": g.Prefix}
	}},
	{"PUT", "/actions/oidc/customization/sub", func(g *forgery, _ []string, body object) (int, any) {
		g.Template = body["use_default"] != true
		if body["use_immutable_subject"] == true {
			owner, name, _ := strings.Cut(g.Slug, "/")
			g.Prefix = fmt.Sprintf("repo:%s@%d/%s@%d", owner, g.OwnerID, name, g.ID)
		}
		return 201, object{}
	}},
	{"GET", "/labels/(.+)", func(g *forgery, at []string, _ object) (int, any) {
		if g.Labels[at[0]] == nil {
			return notFound()
		}
		return 200, g.Labels[at[0]]
	}},
	{"POST", "/labels", func(g *forgery, _ []string, body object) (int, any) {
		g.Labels[body["name"].(string)] = body
		return 201, body
	}},
	{"GET", "/environments/([^/]+)", func(g *forgery, at []string, _ object) (int, any) {
		e := g.Environments[at[0]]
		if e == nil {
			return notFound()
		}
		return 200, g.shown(e)
	}},
	{"PUT", "/environments/([^/]+)", func(g *forgery, at []string, body object) (int, any) {
		for _, gated := range []string{"reviewers", "prevent_self_review", "can_admins_bypass", "wait_timer"} {
			if _, there := body[gated]; there && !g.Enterprise {
				return told(422, "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule.")
			}
		}
		g.Environments[at[0]] = body
		return 200, g.shown(body)
	}},
	{"GET", "/environments/([^/]+)/deployment-branch-policies", func(g *forgery, at []string, _ object) (int, any) {
		if g.Environments[at[0]] == nil {
			return notFound()
		}
		return 200, object{"total_count": len(g.Policies[at[0]]), "branch_policies": g.Policies[at[0]]}
	}},
	{"POST", "/environments/([^/]+)/deployment-branch-policies", func(g *forgery, at []string, body object) (int, any) {
		rule, _ := g.Environments[at[0]]["deployment_branch_policy"].(object)
		if rule["custom_branch_policies"] != true {
			return notFound()
		}
		g.Next++
		body["id"], body["type"] = g.Next, "branch"
		g.Policies[at[0]] = append(g.Policies[at[0]], body)
		return 200, body
	}},
	{"DELETE", "/environments/([^/]+)/deployment-branch-policies/([0-9]+)", func(g *forgery, at []string, _ object) (int, any) {
		g.Policies[at[0]] = slices.DeleteFunc(g.Policies[at[0]], func(p object) bool { return fmt.Sprint(p["id"]) == at[1] })
		return done()
	}},
	{"GET", "/branches/([^/]+)", func(g *forgery, at []string, _ object) (int, any) {
		if _, there := g.Branches[at[0]]; !there {
			return told(http.StatusNotFound, "Branch not found")
		}
		return 200, object{"name": at[0]}
	}},
	{"GET", "/branches/([^/]+)/protection", func(g *forgery, at []string, _ object) (int, any) {
		switch protection, there := g.Branches[at[0]]; {
		case !g.Protection:
			return told(http.StatusForbidden, "Upgrade to GitHub Pro or make this repository public to enable this feature.")
		case !there || protection == nil:
			return told(http.StatusNotFound, "Branch not protected")
		default:
			return 200, protection
		}
	}},
	{"PUT", "/branches/([^/]+)/protection", func(g *forgery, at []string, body object) (int, any) {
		if _, there := g.Branches[at[0]]; !there {
			return told(http.StatusNotFound, "Branch not found")
		}
		g.Branches[at[0]] = protected(body)
		return 200, g.Branches[at[0]]
	}},
	{"GET", "/git/ref/heads/main", func(*forgery, []string, object) (int, any) { return 200, object{"object": object{"sha": "abc"}} }},
	{"POST", "/git/refs", func(g *forgery, _ []string, body object) (int, any) {
		if body["sha"] != "abc" {
			return told(422, "Object does not exist")
		}
		g.Branches[strings.TrimPrefix(body["ref"].(string), "refs/heads/")] = nil
		return 201, body
	}},
	{"GET", "/actions/variables/(.+)", func(g *forgery, at []string, _ object) (int, any) {
		value, there := g.Variables[at[0]]
		if !there {
			return notFound()
		}
		return 200, object{"name": at[0], "value": value}
	}},
	{"POST", "/actions/variables", func(g *forgery, _ []string, body object) (int, any) {
		if _, there := g.Variables[body["name"].(string)]; there {
			return told(http.StatusConflict, "Already exists")
		}
		g.Variables[body["name"].(string)] = body["value"].(string)
		return 201, object{}
	}},
	{"PATCH", "/actions/variables/(.+)", func(g *forgery, at []string, body object) (int, any) {
		if _, there := g.Variables[at[0]]; !there {
			return notFound()
		}
		g.Variables[at[0]] = body["value"].(string)
		return done()
	}},
	{"GET", "/actions/secrets", func(g *forgery, _ []string, _ object) (int, any) {
		list := []object{}
		for _, name := range g.Secrets {
			list = append(list, object{"name": name})
		}
		return 200, object{"total_count": len(list), "secrets": list}
	}},
}

// shown is an environment as GitHub tells it: rules instead of what was set.
func (g *forgery) shown(e object) object {
	list := []object{}
	if e["deployment_branch_policy"] != nil {
		list = append(list, object{"type": "branch_policy"})
	}
	if wait := e["wait_timer"]; wait != nil {
		list = append(list, object{"type": "wait_timer", "wait_timer": wait})
	}
	if reviewers, _ := e["reviewers"].([]any); len(reviewers) > 0 {
		var who []object
		for _, entry := range reviewers {
			r := entry.(object)
			names := map[string]map[string]int64{"Team": g.Teams, "User": g.Users}[r["type"].(string)]
			for name, id := range names {
				if fmt.Sprint(id) == fmt.Sprint(r["id"]) {
					field := map[string]string{"Team": "slug", "User": "login"}[r["type"].(string)]
					who = append(who, object{"type": r["type"], "reviewer": object{"id": id, field: filepath.Base(name)}})
				}
			}
		}
		list = append(list, object{"type": "required_reviewers", "prevent_self_review": e["prevent_self_review"] == true, "reviewers": who})
	}
	return object{"protection_rules": list, "deployment_branch_policy": e["deployment_branch_policy"], "can_admins_bypass": e["can_admins_bypass"] != false}
}

// protected is a branch's protection as GitHub tells it: switches are objects, people are accounts.
func protected(body object) object {
	required := body["required_status_checks"].(object)["checks"].([]any)
	for i := range required {
		c := required[i].(object)
		switch app, chosen := c["app_id"]; {
		case !chosen:
			c["app_id"] = 15368 // GitHub Actions
		case fmt.Sprint(app) == "-1":
			c["app_id"] = nil
		}
	}
	out := object{"required_status_checks": body["required_status_checks"], "required_pull_request_reviews": body["required_pull_request_reviews"]}
	for name, value := range body {
		if on, isSwitch := value.(bool); isSwitch {
			out[name] = object{"enabled": on}
		}
	}
	if r, _ := body["restrictions"].(object); r != nil {
		out["restrictions"] = accounts(r)
	}
	if reviews, _ := body["required_pull_request_reviews"].(object); reviews != nil {
		if r, _ := reviews["dismissal_restrictions"].(object); r != nil {
			reviews["dismissal_restrictions"] = accounts(r)
		}
	}
	return out
}

func accounts(names object) object {
	shown := object{}
	for kind, field := range map[string]string{"users": "login", "teams": "slug", "apps": "slug"} {
		list := []object{}
		for _, name := range names[kind].([]any) {
			list = append(list, object{field: name})
		}
		shown[kind] = list
	}
	return shown
}

// run is gh, as far as `gh api` is called here.
func (g *forgery) run(_ context.Context, stdin []byte, args ...string) (answer, error) {
	method, endpoint, input := "", "", false
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "--method":
			i++
			method = args[i]
		case "--hostname", "--header":
			i++
		case "--input":
			i++
			input = args[i] == "-"
		default:
			endpoint = args[i]
		}
	}
	switch {
	case args[0] != "api":
		return answer{err: []byte("unknown command\n"), code: 1}, nil
	case g.Login == "":
		return answer{err: []byte("To get started with GitHub CLI, please run:  gh auth login\n"), code: 4}, nil
	case g.Unreachable:
		return answer{err: []byte("error connecting to api.github.com\ncheck your internet connection or https://githubstatus.com\n"), code: 1}, nil
	}
	var body object
	if input && json.Unmarshal(stdin, &body) != nil {
		return answer{err: []byte("gh: Problems parsing JSON (HTTP 400)\n"), code: 1}, nil
	}
	status, reply := g.serve(method, endpoint, body)
	var out []byte
	if reply != nil {
		out, _ = json.Marshal(reply)
	}
	if status > 299 {
		message := reply.(object)["message"]
		return answer{out: out, err: fmt.Appendf(nil, "gh: %s (HTTP %d)\n", message, status), code: 1}, nil
	}
	return answer{out: out}, nil
}

func (g *forgery) serve(method, endpoint string, body object) (int, any) {
	path, _, _ := strings.Cut(endpoint, "?")
	if path == g.Broken {
		return told(500, "Server Error")
	}
	if name, isUser := strings.CutPrefix(path, "users/"); isUser {
		if id := g.Users[name] + g.Strangers[name]; id != 0 {
			return 200, object{"id": id, "login": name}
		}
		return notFound()
	}
	if team := regexp.MustCompile(`^orgs/([^/]+)/teams/([^/]+)(/repos/.+)?$`).FindStringSubmatch(path); team != nil {
		id := g.Teams[team[1]+"/"+team[2]]
		switch {
		case id == 0:
			return notFound()
		case team[3] != "":
			return done()
		}
		return 200, object{"id": id, "slug": team[2]}
	}
	rest, ours := strings.CutPrefix(path, "repos/"+g.Slug)
	if !ours {
		return notFound()
	}
	for _, r := range routes {
		if at := regexp.MustCompile("^" + r.path + "$").FindStringSubmatch(rest); at != nil && r.method == method {
			if method != http.MethodGet {
				g.Calls = append(g.Calls, method+" "+rest)
				if !g.Admin {
					return told(http.StatusForbidden, "Must have admin rights to Repository.")
				}
			}
			return r.handle(g, at[1:], body)
		}
	}
	return notFound()
}

// fakeVariable names the file with the forgery, where this test is to be gh.
const fakeVariable = "CALLDATA_TEST_FORGERY"

// TestMain is gh when a test has put this program on PATH as such.
func TestMain(m *testing.M) {
	file := os.Getenv(fakeVariable)
	if file == "" {
		os.Exit(m.Run())
	}
	os.Exit(actAsGH(file))
}

func actAsGH(file string) int {
	data, err := os.ReadFile(file) //nolint:gosec // the test's own
	var g forgery
	if err != nil || json.Unmarshal(data, &g) != nil {
		return 99
	}
	stdin, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 99
	}
	a, _ := g.run(context.Background(), stdin, os.Args[1:]...)
	_, _ = os.Stdout.Write(a.out)
	_, _ = os.Stderr.Write(a.err)
	if data, err = json.Marshal(g); err != nil || os.WriteFile(file, data, 0o600) != nil { //nolint:gosec // the test's own
		return 99
	}
	return a.code
}

// put puts this program on PATH as gh, which works on the forgery in the file that it answers.
func (g *forgery) put(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "state.json")
	data, err := json.Marshal(g)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	script := fmt.Sprintf("#!/bin/sh\n%s=%q exec %q \"$@\"\n", fakeVariable, file, self)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte(script), 0o700)) //nolint:gosec // a program
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return file
}
