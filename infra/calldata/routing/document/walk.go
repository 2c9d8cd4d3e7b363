package document

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Nowhere is what a call expects that is to be refused.
const Nowhere = "nowhere"

// Party is a trunk or an engine, as a call's origin or end.
type Party struct {
	Trunk *Trunk
	Ipbx  *Ipbx
	// Tenant is the engine's.
	Tenant *Tenant
}

// Source reads trunk:NAME or ipbx:NAME.
func (d *Document) Source(text string) (Party, error) {
	kind, name, _ := strings.Cut(text, ":")
	switch kind {
	case "trunk":
		if t, _ := d.Trunk(name); t != nil {
			return Party{Trunk: t}, nil
		}
		return Party{}, fmt.Errorf("there is no trunk %q", name)
	case "ipbx":
		if p, t := d.Ipbx(name); p != nil {
			return Party{Ipbx: p, Tenant: t}, nil
		}
		return Party{}, fmt.Errorf("there is no ipbx %q", name)
	}
	return Party{}, errors.New("want trunk:NAME or ipbx:NAME")
}

func (p Party) rulesIn() string {
	if p.Trunk != nil {
		return p.Trunk.RulesIn
	}
	return p.Ipbx.RulesIn
}

func (p Party) rulesOut() string {
	if p.Trunk != nil {
		return p.Trunk.RulesOut
	}
	return p.Ipbx.RulesOut
}

// Choice is one way that a call may take. Choices of one Priority share the calls: Share is this one's part, 0 to 1.
type Choice struct {
	To       string  `json:"to"`
	Number   string  `json:"number"`
	Priority int     `json:"priority"`
	Share    float64 `json:"share"`
}

// Path is where a call goes.
type Path struct {
	Tenant string `json:"tenant,omitempty"`
	// Number is the called number in E.164 digits, By what matched it: a DID or a route.
	Number  string   `json:"number,omitempty"`
	By      string   `json:"by,omitempty"`
	Choices []Choice `json:"choices"`
	// Refused says why a call goes nowhere.
	Refused string `json:"refused,omitempty"`
}

// Walk answers where a call from a party to a dialled number goes, by the rules of the Router: numbers are brought to E.164;
// a number of a tenant goes to its engine, the longest match first; from an engine, everything else goes by the longest
// prefix among its tenant's routes.
func (d *Document) Walk(from Party, dialled string) Path {
	rules := from.rulesIn()
	rewritten, err := d.Rewrite(rules, dialled)
	if err != nil {
		return Path{Refused: err.Error()}
	}
	number := Digits(rewritten)
	path := Path{Number: number}
	if did, tenant := d.did(number); did != nil {
		p, _ := d.Ipbx(did.Ipbx)
		path.Tenant, path.By = tenant.Name, "did "+did.String()
		return d.finish(path, []Choice{{To: "ipbx:" + p.Name, Priority: 1, Share: 1}}, number)
	}
	if from.Trunk != nil {
		path.Refused = "nobody has the number +" + number
		return path
	}
	path.Tenant = from.Tenant.Name
	var best *Route
	for i, r := range from.Tenant.Routes {
		if strings.HasPrefix(number, r.Prefix) && (best == nil || len(r.Prefix) > len(best.Prefix)) {
			best = &from.Tenant.Routes[i]
		}
	}
	if best == nil {
		path.Refused = fmt.Sprintf("%s has no route for +%s", from.Tenant.Name, number)
		return path
	}
	path.By = "route " + best.Name
	sum := map[int]int{}
	for _, t := range best.Targets {
		sum[t.Priority] += t.Weight
	}
	var choices []Choice
	for _, t := range best.Targets {
		choices = append(choices, Choice{To: "trunk:" + t.Trunk, Priority: t.Priority, Share: float64(t.Weight) / float64(sum[t.Priority])})
	}
	slices.SortStableFunc(choices, func(a, b Choice) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Share, a.Share))
	})
	return d.finish(path, choices, number)
}

// finish gives each choice the number that it will see. A choice whose rules refuse the number is none.
func (d *Document) finish(path Path, choices []Choice, number string) Path {
	var last error
	for _, c := range choices {
		to, err := d.Source(c.To)
		if err == nil {
			c.Number, err = d.Rewrite(to.rulesOut(), number)
		}
		if err != nil {
			last = err
			continue
		}
		path.Choices = append(path.Choices, c)
	}
	if len(path.Choices) == 0 {
		path.Refused = last.Error()
	}
	return path
}

// did is the longest match for a whole number, and its tenant.
func (d *Document) did(number string) (*Did, *Tenant) {
	var best *Did
	var owner *Tenant
	longest := -1
	for i := range d.Tenants {
		for j := range d.Tenants[i].Dids {
			for _, s := range d.Tenants[i].Dids[j].Spans() {
				if len(number) == s.Length && strings.HasPrefix(number, s.Prefix) && len(s.Prefix) > longest {
					best, owner, longest = &d.Tenants[i].Dids[j], &d.Tenants[i], len(s.Prefix)
				}
			}
		}
	}
	return best, owner
}

// Outcome is how one of the document's own tests went.
type Outcome struct {
	Test `json:",inline"`
	OK   bool   `json:"ok"`
	Got  string `json:"got"`
}

// Check runs the document's own tests.
func (d *Document) Check() []Outcome {
	var out []Outcome
	for _, t := range d.Tests {
		from, err := d.Source(t.From)
		o := Outcome{Test: t, Got: Nowhere}
		if err == nil {
			if path := d.Walk(from, t.To); len(path.Choices) > 0 {
				o.Got = path.Choices[0].To
				o.OK = o.Got == t.Expect
				if t.Number != "" && path.Choices[0].Number != t.Number {
					o.OK, o.Got = false, o.Got+" as "+path.Choices[0].Number
				}
			} else {
				o.OK = t.Expect == Nowhere
			}
		}
		out = append(out, o)
	}
	return out
}
