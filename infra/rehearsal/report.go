package rehearsal

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
)

// Results of a rehearsal.
const (
	Passed      = "passed"
	Failed      = "failed"
	Interrupted = "interrupted"
)

// Report is what a rehearsal shows: what was real, emulated or a double, what each step took, and what came of it.
type Report struct {
	Stack    string    `json:"stack"`
	Result   string    `json:"result"`
	Error    string    `json:"error,omitempty"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Host     Host      `json:"host"`
	Parts    []Part    `json:"parts"`
	Steps    []Step    `json:"steps"`
	Checks   []Check   `json:"checks"`
	Leftover []string  `json:"leftovers"`
	// Calls are the call tester's scenarios, with what they measured.
	Calls []calls.Outcome `json:"calls,omitempty"`
	// MemoryGiB is the most memory that engine, emulator and machines took at one time.
	MemoryGiB float64 `json:"memoryGiB"`
}

// Host is the machine that the rehearsal ran on.
type Host struct {
	CPUs      int    `json:"cpus"`
	MemoryGiB int    `json:"memoryGiB"`
	Kernel    string `json:"kernel"`
	System    string `json:"system"`
}

// Kinds of parts.
const (
	Real     = "real"
	Emulated = "emulated"
	Double   = "double"
)

// Part is one thing that took part, and how far it was the real thing.
type Part struct {
	Name string `json:"name"`
	// Kind is Real, Emulated or Double.
	Kind string `json:"kind"`
	// Detail is its version, where it came from, and how it differs from the real thing.
	Detail string `json:"detail"`
}

// Step is a step's place in the waterfall.
type Step struct {
	ID     int     `json:"id"`
	Parent int     `json:"parent,omitempty"`
	Name   string  `json:"name"`
	Depth  int     `json:"depth"`
	Start  float64 `json:"start"`
	// Seconds is how long it took; Status ok, skipped, failed or running.
	Seconds float64 `json:"seconds"`
	Status  string  `json:"status"`
	Detail  string  `json:"detail,omitempty"`
}

// Check is one thing that the rehearsal proves.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what was seen; Raw is the check's own JSON output, if it has one.
	Detail string          `json:"detail"`
	Raw    json.RawMessage `json:"raw,omitempty"`
}

// steps turns what the recorder kept into the report's steps.
func steps(spans []progress.Span, begin time.Time) []Step {
	out := make([]Step, 0, len(spans))
	for _, s := range spans {
		r := Step{ID: s.ID, Parent: s.Parent, Name: s.Name, Depth: s.Depth, Start: round(s.Start.Sub(begin)), Status: "ok"}
		switch {
		case s.End.IsZero():
			r.Status = "running"
			r.Seconds = round(time.Since(s.Start))
		default:
			r.Seconds = round(s.End.Sub(s.Start))
		}
		if s.Err != nil {
			r.Status, r.Detail = "failed", progress.FirstLine(s.Err)
			if errors.Is(s.Err, progress.ErrSkipped) {
				r.Status = "skipped"
			}
		}
		out = append(out, r)
	}
	return out
}

func round(d time.Duration) float64 {
	return float64(d.Round(10*time.Millisecond)) / float64(time.Second)
}

// Write puts report.json and report.html into dir.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var page strings.Builder
	if err := pageTemplate.Execute(&page, r); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "report.json"), append(data, '\n'), 0o600),
		os.WriteFile(filepath.Join(dir, "report.html"), []byte(page.String()), 0o600))
}

// Text is the report for a terminal.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nRehearsal of %s: %s in %s\n", r.Stack, strings.ToUpper(r.Result), progress.Short(time.Duration(r.Seconds*float64(time.Second))))
	for _, kind := range []string{Real, Emulated, Double} {
		for i, p := range r.PartsOf(kind) {
			label := ""
			if i == 0 {
				label = kind
			}
			fmt.Fprintf(&b, "  %-10s %-24s %s\n", label, p.Name, p.Detail)
		}
	}
	b.WriteString("\n")
	for _, c := range r.Checks {
		mark := "ok"
		if !c.OK {
			mark = "FAILED"
		}
		fmt.Fprintf(&b, "  %-6s %-28s %s\n", mark, c.Name, c.Detail)
	}
	for _, c := range r.Calls {
		mark := string(c.Status)
		if c.Status == verdict.Fail {
			mark = "FAILED"
		}
		fmt.Fprintf(&b, "  %-6s %-10s %s%s\n", mark, c.Group, c.Name, told(c))
	}
	b.WriteString("\n  time by step\n")
	for _, s := range r.Steps {
		if s.Depth > 1 {
			continue
		}
		detail := ""
		if s.Status != "ok" {
			detail = "  " + s.Status + " " + s.Detail
		}
		fmt.Fprintf(&b, "  %8.1fs  %s%s%s\n", s.Seconds, strings.Repeat("  ", s.Depth), s.Name, detail)
	}
	fmt.Fprintf(&b, "\n  %.1f GiB of memory at most: engine, emulator and machines\n", r.MemoryGiB)
	fmt.Fprintf(&b, "\n  %d leftovers\n", len(r.Leftover))
	for _, l := range r.Leftover {
		fmt.Fprintf(&b, "    %s\n", l)
	}
	return b.String()
}

// told is what a scenario has seen and measured, for the end of a line.
func told(o calls.Outcome) string {
	if more := o.Told(); more != "" {
		return ": " + more
	}
	return ""
}

// PartsOf answers the parts of one kind.
func (r *Report) PartsOf(kind string) []Part {
	var out []Part
	for _, p := range r.Parts {
		if p.Kind == kind {
			out = append(out, p)
		}
	}
	return out
}

//go:embed report.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(part, whole float64) string {
		if whole <= 0 {
			return "0"
		}
		return fmt.Sprintf("%.3f", 100*part/whole)
	},
	"told":   calls.Outcome.Told,
	"indent": func(depth int) int { return depth * 14 },
	"kinds":  func() []string { return []string{Real, Emulated, Double} },
}).Parse(pageText))
