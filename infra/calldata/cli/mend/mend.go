// Package mend is how commands bring into order what no stack manages: everything is looked at first, then what is missing is made and
// what is wrong is mended, one setting after the other. What is right is left alone, so that a command may be run again at any time.
package mend

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Setting is one thing that has to be so.
type Setting struct {
	// Resource is the thing, for example "bucket calldata-foundation-state-111122223333-us-east-1", and Name what of it, for example
	// "versioning".
	Resource, Name string
	// Found is what is there; Missing says that it is nothing at all.
	Found   string
	Missing bool
	// Want is what it is to be.
	Want string
	// Mend makes it so. It is so already where Mend is nil and Hand is empty.
	Mend func(context.Context) error
	// Hand is what a person has to do, where the command cannot.
	Hand string
}

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
	ByHand  Result = "by hand"
)

// detailWidth is where the table cuts details off.
const detailWidth = 110

// Item is one setting of a report.
type Item struct {
	// Resource and Setting are those of the Setting.
	Resource string `json:"resource"`
	Setting  string `json:"setting"`
	// Result says what became of it.
	Result Result `json:"result"`
	// Detail is how it is, or will be, and how it was; or what a person has to do.
	Detail string `json:"detail,omitempty"`
}

// Report is what was found and done. Embed it: its fields then stand in JSON beside those of the embedding struct.
type Report struct {
	// DryRun says that nothing was changed.
	DryRun bool `json:"dryRun"`
	// Changes is the number of settings that were made or mended, or with DryRun would be.
	Changes int `json:"changes"`
	// Settings are in the order of the work.
	Settings []Item `json:"settings"`
}

// Plan is what Carry would do.
func Plan(settings []Setting) Report {
	r := Report{DryRun: true}
	for _, s := range settings {
		r.add(s)
	}
	return r
}

// Carry has do mend each setting that needs it, and records all. After an error it records what was left undone.
func Carry(ctx context.Context, settings []Setting, work progress.Reporter, do func(context.Context, Setting) error) (Report, error) {
	var r Report
	for i, s := range settings {
		if s.Mend == nil {
			r.add(s)
			continue
		}
		step := work.Step(s.Resource + ": " + s.Name)
		err := do(ctx, s)
		step.Done(err)
		if err != nil {
			r.rest(settings[i:])
			return r, fmt.Errorf("%s, %s: %w; run the command again, it goes on from here", s.Resource, s.Name, err)
		}
		r.add(s)
	}
	return r, nil
}

// add records a setting that is as it should be, or would be, or that is left to a person.
func (r *Report) add(s Setting) {
	item := Item{Resource: s.Resource, Setting: s.Name, Result: Found, Detail: s.Want}
	switch {
	case s.Hand != "":
		item.Result, item.Detail = ByHand, s.Hand
	case s.Mend != nil && s.Missing:
		r.Changes++
		item.Result = r.either(ToMake, Made)
	case s.Mend != nil:
		r.Changes++
		item.Result, item.Detail = r.either(ToMend, Mended), s.Want+" (was: "+s.Found+")"
	}
	r.Settings = append(r.Settings, item)
}

func (r *Report) either(planned, done Result) Result {
	if r.DryRun {
		return planned
	}
	return done
}

// rest records what a failure left undone.
func (r *Report) rest(settings []Setting) {
	for _, s := range settings {
		if s.Mend == nil {
			r.add(s)
			continue
		}
		r.Settings = append(r.Settings, Item{Resource: s.Resource, Setting: s.Name, Result: NotDone, Detail: s.Want})
	}
}

// Left is how many settings are not as they should be.
func (r *Report) Left() int { return r.count(ToMake, ToMend, NotDone, ByHand) }

// Hand is how many of them are left to a person.
func (r *Report) Hand() int { return r.count(ByHand) }

func (r *Report) count(results ...Result) int {
	n := 0
	for _, item := range r.Settings {
		if slices.Contains(results, item.Result) {
			n++
		}
	}
	return n
}

// WriteTable lists the settings, a resource after the other.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "RESOURCE\tSETTING\tRESULT\tDETAIL") // tabwriter keeps errors until Flush
	last := ""
	for _, item := range r.Settings {
		resource := item.Resource
		if resource == last {
			resource = ""
		}
		last = item.Resource
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", resource, item.Setting, item.Result, short(item))
	}
	return table.Flush()
}

// Summary is the settings as a whole, in a sentence or two.
func (r *Report) Summary() string {
	what := fmt.Sprintf("%d of %d settings were made or mended.", r.Changes, len(r.Settings))
	switch {
	case r.Left() == 0 && r.Changes == 0:
		what = fmt.Sprintf("All %d settings are as they should be.", len(r.Settings))
	case r.DryRun:
		what = fmt.Sprintf("%d of %d settings would be made or mended. Nothing was changed.", r.Changes, len(r.Settings))
	}
	if hand := r.Hand(); hand > 0 {
		what += fmt.Sprintf(" Left to do by hand: %d.", hand)
	}
	return what
}

// short keeps a table readable; JSON has the whole text. What a person has to do is shown whole.
func short(item Item) string {
	if runes := []rune(item.Detail); item.Result != ByHand && len(runes) > detailWidth {
		return string(runes[:detailWidth-3]) + "..."
	}
	return item.Detail
}
