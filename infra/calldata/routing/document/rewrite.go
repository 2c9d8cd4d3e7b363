package document

import (
	"fmt"
	"regexp"
	"strings"
)

// compiled reads a rule's expression. Kamailio's dialplan has PCRE, of which Go's is a part; what only PCRE has is refused, so
// that this program judges a number as a Router does.
func (r Rule) compiled() (*regexp.Regexp, error) {
	return regexp.Compile(r.Match)
}

// rewrite answers the number that the rule makes, and whether it matches.
func (r Rule) rewrite(number string) (string, bool) {
	expression, err := r.compiled()
	if err != nil {
		return "", false
	}
	found := expression.FindStringSubmatch(number)
	if found == nil {
		return "", false
	}
	var out strings.Builder
	for i := 0; i < len(r.Replace); i++ {
		if c := r.Replace[i]; c != '\\' || i+1 == len(r.Replace) {
			out.WriteByte(c)
			continue
		}
		i++
		if group := int(r.Replace[i] - '0'); group >= 0 && group < len(found) {
			out.WriteString(found[group])
		}
	}
	return out.String(), true
}

// Rewrite brings a number through the ruleset called name: by the first rule that matches. The empty name leaves it as it
// is. It fails for a number that no rule matches.
func (d *Document) Rewrite(name, number string) (string, error) {
	if name == "" {
		return number, nil
	}
	set := d.Ruleset(name)
	if set == nil {
		return "", fmt.Errorf("there is no ruleset %q", name)
	}
	for _, r := range set.Rules {
		if out, ok := r.rewrite(number); ok {
			return out, nil
		}
	}
	return "", fmt.Errorf("no rule of %s matches %s", name, number)
}
