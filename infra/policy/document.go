package policy

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// document is a policy of IAM or of a resource, as far as rules look at it.
// Source: AWS IAM User Guide, "IAM JSON policy element reference".
type document struct {
	Statement oneOrMany[statement]
}

type statement struct {
	Effect                                   string
	Principal, NotPrincipal                  principals
	Action, NotAction, Resource, NotResource texts
	Condition                                map[string]map[string]texts
}

func (s statement) allows() bool { return s.Effect == "Allow" }
func (s statement) denies() bool { return s.Effect == "Deny" }

// condition answers the values of a condition key under operators with a prefix, in whatever case the key is written.
func (s statement) condition(operator, key string) (texts, bool) {
	for op, keys := range s.Condition {
		for k, values := range keys {
			if strings.HasPrefix(op, operator) && strings.EqualFold(k, key) {
				return values, true
			}
		}
	}
	return nil, false
}

// texts is one text or a list of them. Booleans, which conditions may have, become text.
type texts []string

// UnmarshalJSON takes either form.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one any
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	for _, item := range (value{one}).list() {
		if text, ok := item.text(); ok {
			*t = append(*t, text)
		}
	}
	return nil
}

// oneOrMany is a JSON value or a list of such.
type oneOrMany[T any] []T

// UnmarshalJSON takes either form.
func (o *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	var many []T
	if err := json.Unmarshal(data, &many); err == nil {
		*o = many
		return nil
	}
	var one T
	err := json.Unmarshal(data, &one)
	*o = []T{one}
	return err
}

// principals are who a statement is about, by kind. The bare "*" is kind AWS, which means the same.
// Source: AWS IAM User Guide, "AWS JSON policy elements: Principal".
type principals map[string]texts

// UnmarshalJSON takes either form.
func (p *principals) UnmarshalJSON(data []byte) error {
	var everyone string
	if err := json.Unmarshal(data, &everyone); err == nil {
		*p = principals{"AWS": {everyone}}
		return nil
	}
	return json.Unmarshal(data, (*map[string]texts)(p))
}

// everyone reports whether the statement is about all principals.
func (p principals) everyone() bool { return slices.Contains(p["AWS"], "*") }

// errOpaque says that a document cannot be seen.
var errOpaque = errors.New("not known")

// parse reads a document. It answers errOpaque where a part of it cannot be seen.
func parse(v value) (document, error) {
	var doc document
	if _, complete := v.texts(); !complete {
		return doc, errOpaque
	}
	text, ok := v.text()
	if !ok { // the SDK also takes documents as objects
		data, err := json.Marshal(v.v)
		if err != nil {
			return doc, err
		}
		text = string(data)
	}
	err := json.Unmarshal([]byte(text), &doc)
	return doc, err
}
