package bootstrap

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/stacks"
)

// Report is what the command found and did.
type Report struct {
	// Account and Region are where.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Bucket and KeyAlias are the names, KeyARN is empty as long as there is no key.
	Bucket   string `json:"bucket"`
	KeyAlias string `json:"keyAlias"`
	KeyARN   string `json:"keyArn,omitempty"`
	mend.Report
	// Copy is the copy in a second region; nil where none was asked for.
	Copy *Copy `json:"copy,omitempty"`
	// Login makes Pulumi use the bucket. StackInit makes a stack with the key, by the stack's name.
	Login     string      `json:"login"`
	StackInit []StackInit `json:"stackInit"`

	profile string
}

// Copy is a copy of the state in a second region.
type Copy struct {
	Region string `json:"region"`
	Bucket string `json:"bucket"`
	// KeyARN is empty as long as there is no key.
	KeyARN string `json:"keyArn,omitempty"`
	// Login makes Pulumi use it.
	Login string `json:"login"`
}

// StackInit is the command that makes one stack.
type StackInit struct {
	Stack   string `json:"stack"`
	Command string `json:"command"`
}

func (f *foundation) newReport() *Report {
	r := &Report{Account: f.id.Account, Region: f.region, Bucket: f.bucket, KeyAlias: f.KeyAlias, profile: f.Profile}
	query := "?region=" + url.QueryEscape(f.region)
	r.Login = f.login()
	if f.copy != nil {
		r.Copy = &Copy{Region: f.copy.region, Bucket: f.copy.bucket, Login: f.copy.login()}
	}
	for _, stack := range stacks.Topologies() {
		r.StackInit = append(r.StackInit, StackInit{stack, fmt.Sprintf("pulumi stack init %s --secrets-provider='awskms://%s%s'", stack, f.KeyAlias, query)})
	}
	return r.about(f)
}

// about takes what is only known later.
func (r *Report) about(f *foundation) *Report {
	r.KeyARN = f.keyARN
	if f.copy != nil {
		r.Copy.KeyARN = f.copy.keyARN
	}
	return r
}

func (f *foundation) login() string {
	return fmt.Sprintf("pulumi login 's3://%s?region=%s'", f.bucket, url.QueryEscape(f.region))
}

func (r *Report) writeTable(w io.Writer) error {
	if err := r.WriteTable(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.epilogue())
	return err
}

// epilogue says what was done in a sentence, and what comes next.
func (r *Report) epilogue() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\naccount %s, region %s: %s\n", r.Account, cmp.Or(r.Region, "-"), r.Summary())
	if r.Left() > 0 {
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
	if r.Copy != nil {
		fmt.Fprintf(&b, "\nWhen %s is lost, to the copy in %s:\n\n  %s\n", r.Region, r.Copy.Region, r.Copy.Login)
	}
	return b.String()
}
