package bootstrap

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/stacks"
)

// Result says what became of a setting.
type Result string

// The results.
const (
	Found   Result = "found"
	Made    Result = "made"
	Mended  Result = "mended"
	ToMake  Result = "to make"
	ToMend  Result = "to mend"
	NotDone Result = "not done"
)

// detailWidth is where the table cuts details off.
const detailWidth = 110

// Item is one setting of the report.
type Item struct {
	// Resource is the thing, for example "bucket calldata-foundation-state-111122223333-us-east-1".
	Resource string `json:"resource"`
	// Setting is what of it, for example "versioning".
	Setting string `json:"setting"`
	// Result says what became of it.
	Result Result `json:"result"`
	// Detail is how it is, or will be, and how it was.
	Detail string `json:"detail,omitempty"`
}

// Report is what the command found and did.
type Report struct {
	// Account and Region are where.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Bucket and KeyAlias are the names, KeyARN is empty as long as there is no key.
	Bucket   string `json:"bucket"`
	KeyAlias string `json:"keyAlias"`
	KeyARN   string `json:"keyArn,omitempty"`
	// DryRun says that nothing was changed.
	DryRun bool `json:"dryRun"`
	// Changes is the number of settings that were made or mended, or with DryRun would be.
	Changes int `json:"changes"`
	// Settings are in the order of the work.
	Settings []Item `json:"settings"`
	// Login makes Pulumi use the bucket. StackInit makes a stack with the key, by the stack's name.
	Login     string      `json:"login"`
	StackInit []StackInit `json:"stackInit"`

	profile string
}

// StackInit is the command that makes one stack.
type StackInit struct {
	Stack   string `json:"stack"`
	Command string `json:"command"`
}

func (f *foundation) newReport() *Report {
	r := &Report{Account: f.id.Account, Region: f.region, Bucket: f.bucket, KeyAlias: f.KeyAlias, DryRun: f.DryRun, profile: f.Profile}
	query := "?region=" + url.QueryEscape(f.region)
	r.Login = fmt.Sprintf("pulumi login 's3://%s%s'", f.bucket, query)
	for _, stack := range stacks.Topologies() {
		r.StackInit = append(r.StackInit, StackInit{stack, fmt.Sprintf("pulumi stack init %s --secrets-provider='awskms://%s%s'", stack, f.KeyAlias, query)})
	}
	return r.about(f)
}

// about takes what is only known later.
func (r *Report) about(f *foundation) *Report {
	r.KeyARN = f.keyARN
	return r
}

// add records a setting that is as it should be, or would be.
func (r *Report) add(s setting, dry bool) {
	item := Item{Resource: s.resource, Setting: s.name, Result: Found, Detail: s.want}
	if s.mend != nil {
		r.Changes++
		switch {
		case s.missing && dry:
			item.Result = ToMake
		case s.missing:
			item.Result = Made
		case dry:
			item.Result, item.Detail = ToMend, s.was()
		default:
			item.Result, item.Detail = Mended, s.was()
		}
	}
	r.Settings = append(r.Settings, item)
}

// was shows both sides of a setting that was wrong.
func (s setting) was() string { return s.want + " (was: " + s.found + ")" }

// rest records what a failure left undone.
func (r *Report) rest(settings []setting) {
	for _, s := range settings {
		if s.mend == nil {
			r.add(s, false)
			continue
		}
		r.Settings = append(r.Settings, Item{Resource: s.resource, Setting: s.name, Result: NotDone, Detail: s.want})
	}
}

func (r *Report) complete() bool {
	for _, item := range r.Settings {
		if item.Result == NotDone || item.Result == ToMake || item.Result == ToMend {
			return false
		}
	}
	return true
}

func (r *Report) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "RESOURCE\tSETTING\tRESULT\tDETAIL") // tabwriter keeps errors until Flush
	last := ""
	for _, item := range r.Settings {
		resource := item.Resource
		if resource == last {
			resource = ""
		}
		last = item.Resource
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", resource, item.Setting, item.Result, short(item.Detail))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.epilogue())
	return err
}

// epilogue says what was done in a sentence, and what comes next.
func (r *Report) epilogue() string {
	var b strings.Builder
	what := fmt.Sprintf("%d of %d settings were made or mended.", r.Changes, len(r.Settings))
	switch {
	case r.DryRun && r.Changes > 0:
		what = fmt.Sprintf("%d of %d settings would be made or mended. Nothing was changed.", r.Changes, len(r.Settings))
	case r.Changes == 0:
		what = fmt.Sprintf("All %d settings are as they should be.", len(r.Settings))
	}
	fmt.Fprintf(&b, "\naccount %s, region %s: %s\n", r.Account, cmp.Or(r.Region, "-"), what)
	if !r.complete() {
		return b.String()
	}
	b.WriteString("\nNext, and once for each stack that you want:\n\n")
	if r.profile != "" {
		fmt.Fprintf(&b, "  export AWS_PROFILE=%s\n", r.profile)
	}
	fmt.Fprintf(&b, "  %s\n", r.Login)
	for _, init := range r.StackInit {
		fmt.Fprintf(&b, "  %s\n", init.Command)
	}
	return b.String()
}

// short keeps a table readable; JSON has the whole text.
func short(text string) string {
	if runes := []rune(text); len(runes) > detailWidth {
		return string(runes[:detailWidth-3]) + "..."
	}
	return text
}
